import type { Answer, GatewayRequest } from './exchange.ts'
import type { Settings } from './options.ts'
import { Refusal } from './refusal.ts'

/** What a page may load and call: what this gateway serves, and nothing inline. */
const policy = [
  "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:",
  "font-src 'self'", "connect-src 'self'", "manifest-src 'self'", "base-uri 'none'",
  "form-action 'none'", "frame-ancestors 'none'",
].join('; ')

/** A path of plain names: no `..`, nothing encoded, no backslash. */
const plainPath = /^(?:\/(?!\.{1,2}(?:\/|$))[\w.@-]+)*\/?$/

/** Answers with a file of the user interface, if there is one. */
export async function findPage(
  { method, path }: GatewayRequest, { pages, basePath }: Settings,
): Promise<Answer> {
  // What a page names beside itself would be looked for beside the gateway.
  if (pages && path === '') {
    const location = `${basePath.slice(basePath.lastIndexOf('/') + 1)}/`
    return { status: 308, headers: { location }, body: '' }
  }
  const canBe = pages && (method === 'GET' || method === 'HEAD') && plainPath.test(path)
  const page = canBe ? await pages(path) : null
  if (!page) {
    throw new Refusal('unknown-route', `there is nothing at ${JSON.stringify(path.slice(0, 200))}`)
  }
  return {
    status: 200,
    headers: {
      'content-type': page.type,
      'content-security-policy': policy,
      'cache-control': 'no-cache',
    },
    body: page.body,
  }
}
