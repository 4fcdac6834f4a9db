import { computed, signal } from '@preact/signals'
import type { ReadonlySignal } from '@preact/signals'
import { connect } from '../../client/connect.ts'
import type { Client } from '../../client/connect.ts'
import type { WireHello } from '../../gateway/protocol.ts'
import { TroupeErrorOf } from '../../errors.ts'
import { after, now, remember, remembered } from '../page-env.ts'

/**
 * How the page stands with the gateway. `locked`: it asks for a token. `none`: the page came from
 * a file or from elsewhere; a log can still be imported.
 */
export type Session =
  | { readonly state: 'loading' | 'none' }
  | { readonly state: 'locked'; readonly refused: boolean }
  | { readonly state: 'failed'; readonly error: Error }
  | { readonly state: 'ready'; readonly hello: WireHello }

const state = signal<Session>({ state: 'loading' })
const broken = signal(false)
let lastAt = now()
const retryMs = 2000
let token = remembered('token', 'session')
let inVain = 0

export const session: ReadonlySignal<Session> = state
/** A stream of the gateway broke, and it is being looked for. */
export const isLost: ReadonlySignal<boolean> = broken

/** There is no gateway to speak of. */
export const isOffline: ReadonlySignal<boolean> = computed(() => state.value.state === 'none')
/** Nobody may change anything here. */
export const isReadOnly: ReadonlySignal<boolean> = computed(() => {
  const is = state.value
  return is.state !== 'ready' || is.hello.readOnly
})

/** Where the gateway is mounted, without a slash at the end. */
export const base = new URL('.', location.href).href.replace(/\/$/, '')
/** A page from a file has no gateway. */
const isFile = location.protocol === 'file:'

/** What goes along with every request. */
export function authorization(): Record<string, string> {
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

/** The one client of the page. */
export const client: Client = connect(isFile ? 'http://localhost' : base, {
  headers: authorization,
})

/** Something came from the gateway. Called by whatever listens to it. */
export function heard(): void {
  lastAt = now()
  broken.value = false
}

/** A stream of the gateway broke; what is shown is paled until `heard`. */
export function lost(): void {
  broken.value = true
}

/** When something came from the gateway last. */
export function lastNewsAt(): number {
  return lastAt
}

/** Asks the gateway who we are, until it answers. */
export function begin(): void {
  if (isFile) state.value = { state: 'none' }
  else void greet()
}

/** Tries this token; kept until the tab is closed. */
export function unlock(given: string): void {
  token = given
  inVain += 1
  void greet()
}

async function greet(): Promise<void> {
  try {
    const hello = await client.hello()
    if (token !== null) remember('token', token, 'session')
    state.value = { state: 'ready', hello }
    heard()
  } catch (error) {
    state.value = toSession(error)
    if (state.value.state === 'failed') after(retryMs, () => { void greet() })
  }
}

function toSession(error: unknown): Session {
  const code = refusalOf(error)
  if (code === 'unauthorized') return { state: 'locked', refused: inVain > 0 }
  if (code === 'unknown-route' || code === 'http-404') return { state: 'none' }
  return { state: 'failed', error: toError(error) }
}

/** Why the gateway refused, or null when it did not. */
export function refusalOf(error: unknown): string | null {
  const refused = error instanceof TroupeErrorOf && error.code === 'gateway-refused'
  return refused ? String((error.details as { code: string }).code) : null
}

export function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
