import { systemEnv } from '../env.ts'
import type { Env } from '../env.ts'
import { invalidOption } from '../errors.ts'
import { consoleLogger, safeLogger } from '../orchestrator/logger.ts'
import type { Logger } from '../orchestrator/logger.ts'
import { checkNames } from '../orchestrator/tasks.ts'
import type { GatewayRequest } from './exchange.ts'
import type { Grant } from './grant.ts'
import { parseLimits } from './limits.ts'
import type { Limits } from './limits.ts'
import type { WireAudit } from './protocol.ts'
import type { Redact } from './redaction.ts'

/** A file of a user interface. */
export interface Page {
  /** Its content type: `text/html; charset=utf-8`. */
  readonly type: string
  readonly body: string | Uint8Array
}

export interface GatewayOptions {
  /**
   * Says who asks and what they may, or null for nobody. What it throws is logged, and the
   * request refused with status 500.
   * Without it and without `token`, only this machine is served: see `handler` and `listen`.
   */
  readonly authorize?: (
    request: GatewayRequest,
  ) => Grant | null | undefined | Promise<Grant | null | undefined>
  /** In place of `authorize`: who sends `authorization: Bearer <token>` may do everything. */
  readonly token?: string
  /** Nobody may change anything. Default false. */
  readonly readOnly?: boolean
  /** Where the app has the gateway, when its router leaves the path as it is. Default `'/'`. */
  readonly basePath?: string
  /**
   * Names in the `Host` header that are served, without a port. Default: on a loopback address
   * the names of this machine, else any.
   */
  readonly allowHosts?: readonly string[]
  /** Origins whose pages may call, such as `'https://app.example.com'`. Default: the own only. */
  readonly allowOrigins?: readonly string[]
  readonly limits?: Partial<Limits>
  /** Changes what leaves, after the default redaction. */
  readonly redact?: Redact
  /** Sends the stacks of errors of jobs. Default false. */
  readonly stacks?: boolean
  /** Takes a line for everything that was changed, or that somebody was refused to change. */
  readonly audit?: (line: WireAudit) => void | Promise<void>
  /** Files of a user interface, by path; served to everybody whom the gateway lets in at all. */
  readonly pages?: (path: string) => Page | null | Promise<Page | null>
  /** Takes warnings and errors. Default: the console. */
  readonly logger?: Logger
  /** Clock and timers; for tests and simulations. */
  readonly env?: Env
}

/** The options, checked. */
export interface Settings {
  readonly authorize: GatewayOptions['authorize'] | null
  readonly token: string | null
  readonly readOnly: boolean
  /** Without the slash at its end: empty for `/`. */
  readonly basePath: string
  readonly allowHosts: ReadonlySet<string> | null
  readonly allowOrigins: ReadonlySet<string>
  readonly limits: Limits
  readonly redact: Redact | null
  readonly stacks: boolean
  readonly audit: GatewayOptions['audit'] | null
  readonly pages: GatewayOptions['pages'] | null
  readonly logger: Logger
  readonly env: Env
}

const optionNames = [
  'authorize', 'token', 'readOnly', 'basePath', 'allowHosts', 'allowOrigins', 'limits', 'redact',
  'stacks', 'audit', 'pages', 'logger', 'env',
]

/** Whoever guesses a shorter one is in. */
const shortestToken = 16

export function parseGatewayOptions(options: GatewayOptions): Settings {
  checkNames(options, optionNames, 'createGateway')
  const { authorize, token } = options
  for (const name of ['authorize', 'redact', 'audit', 'pages'] as const) {
    check(options[name] === undefined || typeof options[name] === 'function', name, 'a function',
      options[name])
  }
  for (const name of ['readOnly', 'stacks'] as const) {
    check(options[name] === undefined || typeof options[name] === 'boolean', name, 'true or false',
      options[name])
  }
  check(!(authorize && token !== undefined), 'token', 'left out beside authorize', 'both')
  check(token === undefined || isToken(token), 'token',
    `text of ${shortestToken} or more visible characters`, 'another text')
  return {
    authorize: authorize ?? null,
    token: token ?? null,
    readOnly: options.readOnly ?? false,
    basePath: parseBasePath(options.basePath ?? '/'),
    allowHosts: options.allowHosts ? new Set(options.allowHosts.map(parseHost)) : null,
    allowOrigins: new Set((options.allowOrigins ?? []).map(parseOrigin)),
    limits: parseLimits(options.limits),
    redact: options.redact ?? null,
    stacks: options.stacks ?? false,
    audit: options.audit ?? null,
    pages: options.pages ?? null,
    logger: safeLogger(options.logger ?? consoleLogger),
    env: options.env ?? systemEnv,
  }
}

function check(ok: boolean, name: string, expected: string, received: unknown): void {
  if (!ok) throw invalidOption(`createGateway.${name}`, expected, received)
}

function isToken(token: unknown): boolean {
  return typeof token === 'string' && token.length >= shortestToken && /^[\x21-\x7e]+$/.test(token)
}

function parseBasePath(path: unknown): string {
  const ok = typeof path === 'string' && /^(?:\/[\w.~%-]+)*\/?$/.test(path) && path.startsWith('/')
  if (!ok) throw invalidOption('createGateway.basePath', "a path such as '/jobs'", path)
  return path.replace(/\/$/, '')
}

function parseHost(host: unknown, index: number): string {
  const ok = typeof host === 'string' && /^(?:[a-z\d.-]+|\[[\da-f:.]+\])$/i.test(host)
  if (ok) return host.toLowerCase()
  throw invalidOption(
    `createGateway.allowHosts[${index}]`, "a name without a port, such as 'jobs.example.com'", host,
  )
}

function parseOrigin(origin: unknown, index: number): string {
  const url = typeof origin === 'string' && URL.canParse(origin) ? new URL(origin) : null
  if (url && /^https?:$/.test(url.protocol) && url.origin === origin) return url.origin
  throw invalidOption(
    `createGateway.allowOrigins[${index}]`, "an origin such as 'https://app.example.com'", origin,
  )
}
