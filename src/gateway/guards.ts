import type { Exchange, GatewayRequest } from './exchange.ts'
import type { Settings } from './options.ts'
import { Refusal } from './refusal.ts'

/** Names by which a machine calls itself. */
const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

/** Whether a socket's address is of this machine. */
export function isLoopbackAddress(address: string | null | undefined): boolean {
  return address !== null && address !== undefined &&
    /^(?:::1|(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/i.test(address)
}

/** The name in a Host header, without the port; null when it makes no sense. */
function hostName(header: string | null): string | null {
  const match = /^([a-z\d._-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i.exec(header ?? '')
  return match?.[1]?.toLowerCase() ?? null
}

/**
 * Whether the name that the client knows the gateway by is one of ours: a page of another name
 * that points to this machine (DNS rebinding) comes with its own.
 */
export function checkHost(
  { headers }: GatewayRequest, settings: Settings, onlyThisMachine: boolean,
): void {
  if (!onlyThisMachine && !settings.allowHosts) return
  const name = hostName(headers.get('host'))
  if (name !== null && settings.allowHosts?.has(name)) return
  if (name !== null && onlyThisMachine && loopbackNames.has(name)) return
  throw new Refusal(
    'wrong-host', 'this gateway is not known by that name; allowHosts lists the names it has',
    { host: (headers.get('host') ?? '').slice(0, 200) },
  )
}

const forwarding = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via']

/** Without `authorize` and `token` nobody but this machine itself is served. */
export function checkLocal({ request, isLoopback }: Exchange): void {
  const forwarded = forwarding.find((name) => request.headers.has(name))
  if (isLoopback && forwarded === undefined) return
  throw new Refusal(
    'unauthorized',
    'without authorize or token the gateway serves only this machine, over a socket of its own: ' +
      'give createGateway one of them',
  )
}

/** Whether the page that calls is of this server, or is listed. */
function isOwnOrigin(
  { headers }: GatewayRequest, origin: string, { allowOrigins }: Settings,
): boolean {
  if (allowOrigins.has(origin)) return true
  const url = URL.canParse(origin) ? new URL(origin) : null
  return url !== null && url.host !== '' && url.host === headers.get('host')?.toLowerCase()
}

/**
 * Refuses what a page of another origin sends, listed ones excepted. Browsers say where a request
 * comes from; what is no browser says nothing and cannot be made to send by a page.
 */
export function checkOrigin(request: GatewayRequest, settings: Settings): void {
  const origin = request.headers.get('origin')
  const site = request.headers.get('sec-fetch-site')
  const ok = origin === null
    ? site === null || site === 'same-origin' || site === 'none'
    : isOwnOrigin(request, origin, settings)
  if (ok) return
  throw new Refusal(
    'wrong-origin', 'pages of this origin may not call; allowOrigins lists those that may',
    { origin: (origin ?? site ?? '').slice(0, 200) },
  )
}

export function checkHeaderSize({ headerBytes }: Exchange, { limits }: Settings): void {
  if (headerBytes <= limits.headerBytes) return
  throw new Refusal(
    'headers-too-large', `URL and headers have more than ${limits.headerBytes} bytes`,
    { limit: limits.headerBytes },
  )
}

/** Headers by which a browser lets a page of a listed origin read the answer. */
export function corsHeaders(
  { headers }: GatewayRequest, { allowOrigins }: Settings,
): Readonly<Record<string, string>> {
  if (allowOrigins.size === 0) return {}
  const origin = headers.get('origin')
  if (origin === null || !allowOrigins.has(origin)) return { vary: 'origin' }
  return {
    'vary': 'origin',
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'retry-after',
  }
}

/** The answer to a browser that asks whether it may send: what it may send, when it may. */
export const preflightHeaders: Readonly<Record<string, string>> = {
  'access-control-allow-methods': 'GET, POST, PUT',
  'access-control-allow-headers': 'authorization, content-type, last-event-id',
  'access-control-max-age': '600',
}
