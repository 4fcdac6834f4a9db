import { signal } from '@preact/signals'
import type { ReadonlySignal } from '@preact/signals'

/** The one place of the page that asks the browser for time, timers and storage. */
export function now(): number {
  return Date.now()
}

/** Runs once, after `delayMs`; answers how to call it off. */
export function after(delayMs: number, action: () => void): () => void {
  const handle = setTimeout(action, delayMs)
  return () => { clearTimeout(handle) }
}

/** Runs again and again while the tab is seen; answers how to stop it. */
export function every(periodMs: number, action: () => void): () => void {
  const handle = setInterval(() => { if (!document.hidden) action() }, periodMs)
  return () => { clearInterval(handle) }
}

/** What the browser keeps for this page; a browser that keeps nothing is no fault. */
export function remembered(name: string, kind: 'local' | 'session' = 'local'): string | null {
  try {
    return storage(kind).getItem(`troupe.${name}`)
  } catch {
    return null
  }
}

export function remember(
  name: string, value: string | null, kind: 'local' | 'session' = 'local',
): void {
  try {
    if (value === null) storage(kind).removeItem(`troupe.${name}`)
    else storage(kind).setItem(`troupe.${name}`, value)
  } catch {
    // Private windows refuse: the choice then lasts as long as the page.
  }
}

function storage(kind: 'local' | 'session'): Storage {
  return kind === 'local' ? localStorage : sessionStorage
}

const clock = signal(now())
const seen = signal(!document.hidden)

/** Now, once a second, and still while the tab is hidden: for ages that are shown. */
export const second: ReadonlySignal<number> = clock
/** The tab is looked at. */
export const isSeen: ReadonlySignal<boolean> = seen

every(1000, () => { clock.value = now() })
document.addEventListener('visibilitychange', () => {
  seen.value = !document.hidden
  clock.value = now()
})

/** The user wants nothing to move by itself. */
export function prefersStillness(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches
}
