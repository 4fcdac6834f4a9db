import { TroupeError } from '../index.ts'
import type { Store } from '../index.ts'

/** The methods of a store that can be made to fail. */
export type FaultyMethod =
  | 'insert' | 'claim' | 'commit' | 'renew' | 'apply' | 'progress' | 'sweep' | 'restore' | 'get'
  | 'getSetting' | 'readLog' | 'list' | 'counts' | 'casSetting' | 'open' | 'close'
type Call = () => Promise<unknown>
/** What happens in place of a call; `call` does what was asked for. */
export type Fault = (call: Call) => Promise<unknown>

/** Nothing takes effect, and the caller is told so. */
export const refuse: Fault = async () => { throw storeError() }

/** It takes effect, but the answer is lost. */
export const loseAnswer: Fault = async (call) => {
  await call()
  throw storeError()
}

/** It is done twice, as when a request was sent again; the second answer counts. */
export const repeat: Fault = async (call) => {
  await call()
  return call()
}

/** The call waits for `gate`, and then goes on. */
export function waitFor(gate: Promise<unknown>): Fault {
  return async (call) => {
    await gate
    return call()
  }
}

/** The call goes on at once, but the answer waits for `gate`. */
export function answerAfter(gate: Promise<unknown>): Fault {
  return async (call) => {
    const answer = await call()
    await gate
    return answer
  }
}

function storeError(): Error {
  return new TroupeError('store-failed', 'the test says no', { operation: 'test' })
}

/** A store that misbehaves on demand, in front of a good one. */
export interface FaultyStore {
  readonly store: Store
  /** The arguments of every call of a method so far. */
  readonly calls: <M extends FaultyMethod>(method: M) => Parameters<Store[M]>[0][]
  /** The next `times` calls of the method have this fault. */
  readonly next: (method: FaultyMethod, fault: Fault, times?: number) => void
}

/**
 * Wraps a store. `replaced` has methods of your own that take the place of the store's.
 */
export function faultyStore(inner: Store, replaced: Partial<Store> = {}): FaultyStore {
  const faults = new Map<PropertyKey, Fault[]>()
  const calls = new Map<PropertyKey, unknown[]>()
  const store = new Proxy(inner, {
    get(target, name) {
      const source = name in replaced ? replaced : target
      const member: unknown = Reflect.get(source, name, source)
      if (typeof member !== 'function') return member
      return (...args: unknown[]): unknown => {
        calls.set(name, [...(calls.get(name) ?? []), args[0]])
        const call = (): unknown => Reflect.apply(member, target, args)
        const fault = faults.get(name)?.shift()
        return fault ? fault(call as Call) : call()
      }
    },
  })
  return {
    store,
    calls: <M extends FaultyMethod>(method: M) =>
      [...(calls.get(method) ?? [])] as Parameters<Store[M]>[0][],
    next: (method, fault, times = 1) => {
      const list = faults.get(method) ?? []
      faults.set(method, [...list, ...Array.from({ length: times }, () => fault)])
    },
  }
}
