import { fileURLToPath } from 'node:url'
import { systemEnv } from '../env.ts'
import type { Env } from '../env.ts'
import type { Page } from './options.ts'

const types: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
}

/** Where the build puts the dashboard, as seen from the built package and from its source. */
const folders = ['../../dashboard/', '../../dist/dashboard/'].map(
  (path) => new URL(path, import.meta.url),
)

const notBuilt = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Troupe</title>
</head><body><h1>The dashboard is not built</h1>
<p>Run <code>npm run build</code> and load this page again. The gateway works without it.</p>
</body></html>`

/**
 * The files of the dashboard, for `createGateway({ pages: dashboardPages() })`. They are read when
 * they are first asked for, and kept. In a checkout that was not built, the page says so.
 */
export function dashboardPages(
  env: Env = systemEnv, places: readonly URL[] = folders,
): (path: string) => Promise<Page | null> {
  const kept = new Map<string, Page>()
  const find = async (name: string): Promise<Page | null> => {
    const type = types[name.slice(name.lastIndexOf('.') + 1)]
    if (type === undefined) return null
    for (const place of places) {
      const url = new URL(name, place)
      const body = await env.disk.read(fileURLToPath(url))
      if (body) return { type, body }
    }
    return null
  }
  return async (path) => {
    const name = path === '/' || path === '' ? 'index.html' : path.slice(1)
    const known = kept.get(name)
    if (known) return known
    const page = await find(name)
    if (page) kept.set(name, page)
    return page ?? (name === 'index.html' ? { type: types['html'] ?? '', body: notBuilt } : null)
  }
}
