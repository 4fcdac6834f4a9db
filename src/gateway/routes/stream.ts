import { parseCursor } from '../../records/transition.ts'
import { allow, findQueue, queuesOf } from '../call.ts'
import type { Call, Reply } from '../call.ts'
import { eventStream } from '../event-stream.ts'
import type { WireKeyframe } from '../protocol.ts'
import { single, toStreamFilter } from '../query.ts'
import type { Position } from '../streams/catch-up.ts'
import { StreamClient } from '../streams/client.ts'
import { Audience } from '../streams/filter.ts'

/** Opens a stream of server-sent events. */
export function openStream(call: Call): Reply {
  const { house, visitor, request } = call
  const { hub, settings: { env } } = house
  const filter = toStreamFilter(request.query)
  const audience = new Audience(filter, queuesHeard(call, filter.queue), visitor.bounds)
  const position = positionOf(call)
  return eventStream(call, (sink) => {
    const client = new StreamClient({
      user: visitor.name, audience, openedAt: env.monotonic(), sink,
      hasCounts: visitor.bounds === null, hearsAll: filter.queue === null,
      onLost: () => { hub.restart(client) },
      onClose: () => { hub.leave(client) },
    })
    return client
  }, (client) => hub.serve(client, position))
}

/** One that is not there, or not the user's, is refused; without any, all that are. */
function queuesHeard(call: Call, asked: readonly string[] | null): readonly string[] {
  const { visitor } = call
  if (asked === null) {
    return queuesOf(call).map(({ name }) => name).filter((name) => visitor.may('read', name))
  }
  return asked.map((name) => {
    const queue = findQueue(call, name)
    allow(visitor, 'read', queue.name)
    return queue.name
  })
}

/** `Last-Event-ID` before `from`: a browser that comes again asks under the address of before. */
function positionOf({ request }: Call): Position | WireKeyframe['why'] {
  const last = request.headers.get('last-event-id')
  const from = (last === null || last === '' ? null : last) ?? single(request.query, 'from')
  if (from === undefined || from === 'now') return 'opened'
  if (from === 'start') return new Map()
  try {
    return parseCursor(from)
  } catch {
    return 'invalid-cursor'
  }
}
