/** A running timer. */
export interface ClientTimer {
  cancel(): void
}

/** What a client needs of the machine it runs on; tests bring their own. */
export interface ClientEnv {
  /** Runs `action` once, after `delayMs`. */
  after(delayMs: number, action: () => void): ClientTimer
  /** In [0, 1). */
  random(): number
  /** A new id that nobody else makes. */
  id(): string
  /** Calls when the machine gains (`true`) or loses its network, where it tells. */
  onNetwork(action: (online: boolean) => void): () => void
}

/** 120 random bits: 20 characters. */
const idBytes = 15

function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(idBytes))
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_')
}

function onNetwork(action: (online: boolean) => void): () => void {
  const place = globalThis as Partial<Pick<EventTarget, 'addEventListener' | 'removeEventListener'>>
  // Browsers have it, Node has not.
  if (!place.addEventListener) return () => undefined
  const online = (): void => { action(true) }
  const offline = (): void => { action(false) }
  place.addEventListener('online', online)
  place.addEventListener('offline', offline)
  return () => {
    place.removeEventListener?.('online', online)
    place.removeEventListener?.('offline', offline)
  }
}

/** The browser, or Node. */
export const machineEnv: ClientEnv = {
  after(delayMs, action) {
    const handle = setTimeout(action, delayMs)
    return { cancel: () => { clearTimeout(handle) } }
  },
  random: () => Math.random(),
  id: newId,
  onNetwork,
}
