import { EventParser } from '../../client/event-parser.ts'
import type { ServerEvent } from '../../client/event-parser.ts'
import { after } from '../page-env.ts'
import { refuse } from '../shell/ask.ts'
import { authorization, heard, lost, refusalOf, toError } from '../shell/session.ts'

/** The gateway says something each 15 s: after this long its connection is dead. */
const silenceMs = 40_000
const firstWaitMs = 500
const longestWaitMs = 10_000
/** Refusals that another try may change. */
const passing: ReadonlySet<string> = new Set(
  ['too-many-requests', 'too-many-streams', 'internal', 'stopped', 'store-failed'],
)

/**
 * Listens for server-sent events until told to stop; comes back when the connection breaks.
 * What the gateway will not have is told once, and that is the end of it.
 */
export function listen(
  url: string, take: (event: ServerEvent) => void, refused: (error: Error) => void,
): () => void {
  const over = new AbortController()
  keepListening(url, take, over.signal).catch((error: unknown) => { refused(toError(error)) })
  return () => { over.abort() }
}

async function keepListening(
  url: string, take: (event: ServerEvent) => void, over: AbortSignal,
): Promise<void> {
  let waitMs = firstWaitMs
  while (!over.aborted) {
    try {
      await listenOnce(url, (event) => {
        waitMs = firstWaitMs
        take(event)
      }, over)
    } catch (error) {
      const why = refusalOf(error)
      if (why !== null && !passing.has(why) && !over.aborted) throw error
      // Whatever it was, the page says that it is reconnecting and tries again.
    }
    if (over.aborted) return
    lost()
    await sleep(waitMs, over)
    waitMs = Math.min(waitMs * 2, longestWaitMs)
  }
}

async function listenOnce(
  url: string, take: (event: ServerEvent) => void, over: AbortSignal,
): Promise<void> {
  const silence = new AbortController()
  let calm = after(silenceMs, () => { silence.abort() })
  try {
    const headers = { ...authorization(), accept: 'text/event-stream' }
    const signal = AbortSignal.any([over, silence.signal])
    const response = await fetch(url, { headers, signal })
    if (!response.ok) await refuse(response)
    if (!response.body) return
    const parser = new EventParser(take)
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (done || over.aborted) return
      calm()
      calm = after(silenceMs, () => { silence.abort() })
      heard()
      parser.push(value)
    }
  } finally {
    calm()
  }
}

function sleep(waitMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = after(waitMs, resolve)
    signal.addEventListener('abort', () => {
      cancel()
      resolve()
    }, { once: true })
  })
}
