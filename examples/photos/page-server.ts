import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Troupe } from 'troupe'
import { createGateway, dashboardPages } from 'troupe/gateway'
import { loadClientFiles } from './client-files.ts'
import { saveUpload, UploadError } from './uploads.ts'

export interface PageOptions {
  /** Null for the usual one, or a free one when that is taken. */
  readonly port: number | null
  readonly uploads: string
  readonly thumbnails: string
}

export interface Page {
  readonly url: string
  close(): Promise<void>
}

interface File {
  readonly type: string
  readonly body: string | Buffer
}

const usualPort = 7070
const script = 'text/javascript; charset=utf-8'
const names = ['localhost', '127.0.0.1']
/** Nothing inline, and nothing from elsewhere. */
const headers = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; " +
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

/**
 * Serves the upload page, its pictures, and under `/queues/` the gateway with its dashboard; to
 * this machine only.
 */
export async function openPage(troupe: Troupe, options: PageOptions): Promise<Page> {
  const gateway = createGateway(troupe, {
    basePath: '/queues',
    allowHosts: names,
    pages: dashboardPages(),
    // The jobs of the shop name files of this machine: only this program adds them.
    authorize: () => ({
      user: 'page',
      can: (action, queue) => queue === 'uploads' || (action !== 'add' && action !== 'schedule'),
    }),
  })
  const files = await loadFiles()
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/'
    const isOurs = names.includes((request.headers.host ?? '').replace(/:\d+$/, ''))
    if (isOurs && (path === '/queues' || path.startsWith('/queues/'))) {
      gateway.handler(request, response)
      return
    }
    const answered = isOurs
      ? answer(request, response, path, files, options)
      : Promise.reject(new UploadError(421, 'this server is not the one that was asked for'))
    answered.catch((error: unknown) => { refuse(request, response, error) })
  })
  const url = `http://127.0.0.1:${await listen(server, options.port)}`
  await troupe.announce(`${url}/queues`)
  return {
    url,
    close: async () => {
      await troupe.announce(null)
      const closed = new Promise<void>((resolve) => { server.close(() => { resolve() }) })
      await gateway.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function loadFiles(): Promise<ReadonlyMap<string, File>> {
  const read = (name: string): Promise<string> =>
    readFile(join(import.meta.dirname, 'page', name), 'utf8')
  const { entry, files } = await loadClientFiles()
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', body: await read('index.html') }],
    ['/page.css', { type: 'text/css; charset=utf-8', body: await read('page.css') }],
    ['/page.js', { type: script, body: await read('page.js') }],
    ['/client.js', { type: script, body: `export * from '/client/${entry}'\n` }],
    ...[...files].map(([path, body]) => [`/client/${path}`, { type: script, body }] as const),
  ])
}

async function answer(
  request: IncomingMessage, response: ServerResponse, path: string,
  files: ReadonlyMap<string, File>, folders: PageOptions,
): Promise<void> {
  const { method } = request
  if (method === 'POST' && path === '/uploads') {
    // A page of another origin cannot send this type without asking first.
    if (request.headers['content-type'] !== 'application/octet-stream') {
      throw new UploadError(415, 'send the picture as application/octet-stream')
    }
    const name = await saveUpload(request, folders.uploads)
    send(response, 201, { type: 'application/json', body: JSON.stringify({ name }) })
    return
  }
  const file = method === 'GET' ? files.get(path) ?? await readThumbnail(path, folders) : null
  if (!file) throw new UploadError(404, 'there is nothing here')
  send(response, 200, file)
}

async function readThumbnail(path: string, { thumbnails }: PageOptions): Promise<File | null> {
  const name = /^\/thumbnails\/([a-f\d]{32}-\d{1,5}\.webp)$/.exec(path)?.[1]
  if (name === undefined) return null
  try {
    return { type: 'image/webp', body: await readFile(join(thumbnails, name)) }
  } catch {
    return null
  }
}

function send(response: ServerResponse, status: number, { type, body }: File): void {
  response.writeHead(status, { ...headers, 'content-type': type, 'cache-control': 'no-cache' })
  response.end(body)
}

function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const isKnown = error instanceof UploadError
  if (!isKnown) console.error(error)
  const message = isKnown ? error.message : 'the server failed'
  if (response.headersSent) return
  // What is left of a picture that is refused is not waited for.
  response.setHeader('connection', 'close').once('finish', () => { request.destroy() })
  const body = JSON.stringify({ error: message })
  send(response, isKnown ? error.status : 500, { type: 'application/json', body })
}

async function listen(server: Server, port: number | null): Promise<number> {
  const tryPort = (wanted: number): Promise<void> => new Promise((resolve, reject) => {
    server.once('error', reject).listen(wanted, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  try {
    await tryPort(port ?? usualPort)
  } catch (error) {
    if (port !== null || (error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    await tryPort(0)
  }
  return (server.address() as AddressInfo).port
}
