import type { Call, Reply } from './call.ts'
import type { Sink } from './exchange.ts'
import { Refusal } from './refusal.ts'

/** When who finds no room comes back. */
const fullRetryMs = 5000

/** Somebody whose stream has begun. */
interface Opened {
  close(retryMs: number): void
}

/** Answers with a stream of server-sent events, while there is room; `serve` never rejects. */
export function eventStream<T extends Opened>(
  call: Call, open: (sink: Sink) => T, serve: (opened: T) => Promise<void>,
): Reply {
  if (call.house.isClosing()) throw new Refusal('too-many-streams', 'the gateway is closing')
  if (isFull(call)) {
    throw new Refusal(
      'too-many-streams', 'as many streams are open as may be', {},
      { 'retry-after': String(fullRetryMs / 1000) },
    )
  }
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
    stream: (sink) => {
      const opened = open(sink)
      // Others that were let in at the same moment may have come before it.
      if (isFull(call)) opened.close(fullRetryMs)
      else void serve(opened)
    },
  }
}

function isFull({ house: { hub, fleet, settings: { limits } }, visitor: { name } }: Call): boolean {
  return hub.size + fleet.size >= limits.streams ||
    hub.sizeOf(name) + fleet.sizeOf(name) >= limits.streamsPerUser
}
