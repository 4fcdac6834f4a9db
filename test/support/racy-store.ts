import { TroupeError } from 'troupe'
import type { Store } from 'troupe'

/** What may happen to a call besides taking its time. */
export type Mishap = 'none' | 'refused' | 'answer lost'

export interface Racing {
  /** False: calls go straight through. */
  on: boolean
  /** Resolves when it is the turn of what is named. */
  turn(name: string): Promise<void>
  /** For each call in turn. */
  mishap(method: string): Mishap
}

const straight: ReadonlySet<PropertyKey> = new Set(['watch', 'tail', 'wake', 'close'])

/** A store whose calls arrive and whose answers come in any order, or not at all. */
export function racyStore(inner: Store, racing: Racing): Store {
  return new Proxy(inner, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function' || straight.has(name)) return member
      const call = (args: unknown[]): unknown => Reflect.apply(member, target, args)
      return (...args: unknown[]): unknown =>
        (racing.on ? race(String(name), racing, () => call(args)) : call(args))
    },
  })
}

async function race(name: string, racing: Racing, call: () => unknown): Promise<unknown> {
  const mishap = racing.mishap(name)
  await racing.turn(`${name} arrives`)
  if (mishap === 'refused') throw failure(name)
  const answer = await call()
  await racing.turn(`${name} is answered`)
  if (mishap === 'answer lost') throw failure(name)
  return answer
}

function failure(operation: string): Error {
  return new TroupeError('store-failed', `${operation}: the test says no`, { operation })
}
