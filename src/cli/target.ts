import { basename, resolve } from 'node:path'
import { systemEnv } from '../env.ts'
import { TroupeError } from '../errors.ts'
import type { Logger } from '../orchestrator/logger.ts'
import type { Store } from '../stores/store.ts'
import { exitCodes, Refusal, usageError } from './exit.ts'
import type { Fleet } from './fleet.ts'

/** What the options and the environment say of the target. */
export interface TargetOptions {
  readonly store?: string
  readonly url?: string
  readonly token?: string
}

export type Target =
  | { readonly kind: 'store'; readonly text: string; readonly token: string | null }
  | { readonly kind: 'gateway'; readonly url: string; readonly token: string | null }

const targetHelp =
  '--store file:data/jobs.json, --store postgres://… or --url http://…, or set TROUPE_STORE or ' +
  'TROUPE_URL'

/** An option beats the environment, whichever of the two it names. */
export function chooseTarget(options: TargetOptions, env: NodeJS.ProcessEnv): Target {
  const token = options.token ?? (env['TROUPE_TOKEN'] || null)
  const typed = options.store !== undefined || options.url !== undefined
  const store = typed ? options.store : env['TROUPE_STORE'] || undefined
  const url = typed ? options.url : env['TROUPE_URL'] || undefined
  if (store !== undefined && url !== undefined) {
    const names = typed ? '--store and --url' : 'TROUPE_STORE and TROUPE_URL'
    throw usageError(`${names} name two targets: give one of them`)
  }
  if (store !== undefined) return { kind: 'store', text: store, token }
  if (url === undefined) throw usageError(`there is no target: give ${targetHelp}`)
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw usageError(`--url ${JSON.stringify(url)} is not the http(s) address of a gateway`)
  }
  return { kind: 'gateway', url, token }
}

export interface NamedStore {
  readonly store: Store
  /** Without password. */
  readonly name: string
}

/** The store of `file:…`, `postgres://…` or `memory:`; not opened yet. */
export async function parseStore(text: string, creates: boolean): Promise<NamedStore> {
  if (text === 'memory:') {
    const { memoryStore } = await import('../stores/memory.ts')
    return { store: memoryStore(), name: text }
  }
  if (/^postgres(ql)?:\/\//.test(text) && URL.canParse(text)) return postgres(text)
  const path = /^file:(?:\/\/(?=\/))?(.+)$/s.exec(text)?.[1]
  if (path !== undefined) {
    if (!creates) await assertThere(resolve(path))
    const { lowdbStore } = await import('../stores/lowdb/store.ts')
    return { store: lowdbStore(path), name: `file:${path}` }
  }
  const scheme = /^(\w+):/.exec(text)?.[1]
  const shown = scheme === undefined ? `"${text.slice(0, 60)}" has no scheme` : `"${scheme}:"`
  const hint = scheme === undefined ? `; for a file write file:${basename(text)}` : ''
  throw usageError(
    `--store ${shown}${hint}: it must be file:<path>, postgres://… or memory:`,
  )
}

async function postgres(text: string): Promise<NamedStore> {
  const url = new URL(text)
  const schema = url.searchParams.get('schema')
  url.searchParams.delete('schema')
  const { postgresStore } = await import('../stores/postgres/store.ts')
  const store = postgresStore(url.href, { maxConnections: 2, ...(schema !== null && { schema }) })
  return { store, name: `postgres://${url.host}${url.pathname}` }
}

/** A mistyped path must not make an empty file. */
async function assertThere(path: string): Promise<void> {
  const { disk } = systemEnv
  if (await disk.modifiedAt(path) !== undefined) return
  if ((await disk.list(`${path}.journal`)).length > 0) return
  if (await disk.modifiedAt(`${path}.lock`) !== undefined) return
  throw new Refusal(exitCodes.unreachable, `there is no file ${path}: check the path of --store`)
}

export interface OpenOptions {
  /** A lowdb file that is not there may be made. */
  readonly creates: boolean
  readonly logger: Logger
  /** Opens the gateway that holds a store, or the one that was asked for. */
  readonly openGateway: (url: string, token: string | null) => Promise<Fleet>
}

/** Opens the target; of a lowdb file that a process holds, the gateway of that process. */
export async function openFleet(target: Target, options: OpenOptions): Promise<Fleet> {
  if (target.kind === 'gateway') return options.openGateway(target.url, target.token)
  const { store, name } = await parseStore(target.text, options.creates)
  const { openStoreFleet } = await import('./store-fleet.ts')
  try {
    return await openStoreFleet(store, name, options.logger)
  } catch (error) {
    const gateway = error instanceof TroupeError && error.code === 'store-locked'
      ? error.details.gateway : null
    if (gateway === null) throw error
    return options.openGateway(gateway, target.token)
  }
}
