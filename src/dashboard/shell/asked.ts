import { useEffect, useState } from 'preact/hooks'
import { every, isSeen } from '../page-env.ts'
import { heard, toError } from './session.ts'

/** An answer of the gateway, and how it stands. The last value stays while a new one is asked. */
export interface Asked<T> {
  readonly value: T | null
  readonly error: Error | null
  readonly isLoading: boolean
  /** Asks once more. */
  readonly again: () => void
}

interface Answer<T> {
  readonly key: string | null
  readonly value: T | null
  readonly error: Error | null
}

/**
 * Asks when `key` changes, and every `everyMs` while the tab is seen. An answer that comes after
 * the key has changed is dropped. With a key of null nothing is asked.
 */
export function useAsked<T>(
  key: string | null, ask: () => Promise<T>, everyMs: number | null = null,
): Asked<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ key: null, value: null, error: null })
  const [turn, setTurn] = useState(0)
  const isShown = isSeen.value
  useEffect(() => {
    if (key === null || !isShown) return undefined
    let over = false
    let busy = false
    const run = async (): Promise<void> => {
      if (busy) return
      busy = true
      try {
        const value = await ask()
        heard()
        if (!over) setAnswer({ key, value, error: null })
      } catch (error) {
        if (!over) setAnswer((last) => ({
          key, value: last.key === key ? last.value : null, error: toError(error),
        }))
      }
      busy = false
    }
    void run()
    const stop = everyMs === null ? () => undefined : every(everyMs, () => { void run() })
    return () => {
      over = true
      stop()
    }
  }, [key, turn, everyMs, isShown])
  return {
    value: answer.value,
    error: answer.error,
    isLoading: key !== null && answer.key !== key,
    again: () => { setTurn((number) => number + 1) },
  }
}
