import type { Env } from '../env.ts'

/** npm passes on the Ctrl-C that the terminal has sent already: one key must not count twice. */
const oneKeyMs = 500

/**
 * Calls `act` on the first of the signals, and again on each further one. Resolves when the first
 * call has resolved, or `over` before; nobody listens to the signals then.
 */
export async function onSignals(
  env: Env, signals: readonly NodeJS.Signals[], act: (first: boolean) => Promise<void>,
  over: Promise<void>,
): Promise<void> {
  let first = true
  let last = Number.NEGATIVE_INFINITY
  let handle = (): void => undefined
  const acted = new Promise<void>((resolve, reject) => {
    handle = () => {
      const now = env.monotonic()
      if (now - last < oneKeyMs) return
      last = now
      act(first).then(resolve, reject)
      first = false
    }
    over.then(resolve, reject)
  })
  for (const signal of signals) process.on(signal, handle)
  try {
    await acted
  } finally {
    for (const signal of signals) process.off(signal, handle)
  }
}
