import { connect } from '../client/connect.ts'
import type { Client } from '../client/connect.ts'
import type { WireJob } from '../gateway/protocol.ts'
import { TroupeError } from '../errors.ts'
import { isSettled } from '../records/job.ts'
import { exitCodes, messageOf, Refusal } from './exit.ts'
import type { Fleet, FleetQueue, JobView } from './fleet.ts'

/** A person waits: one more try, and no long rests. */
const retry = { tries: 1, delay: 200 }

/** The queues behind the gateway of another process. */
export async function openGatewayFleet(url: string, token: string | null): Promise<Fleet> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` }
  const client = connect(url, { headers, retry })
  try {
    await client.hello()
  } catch (error) {
    client.close()
    throw withAdvice(error, url)
  }
  return new GatewayFleet(client, url)
}

function withAdvice(error: unknown, url: string): unknown {
  if (!(error instanceof TroupeError)) return error
  const text = error.code === 'unreachable'
    ? `${messageOf(error)}; is a process there that serves it (troupe start, troupe serve)?`
    : error.code === 'gateway-refused' && error.details.code === 'unauthorized'
      ? `the gateway at ${url} asks for its token: give --token or set TROUPE_TOKEN` : null
  return text === null ? error : new Refusal(exitCodes.unreachable, text, { cause: error })
}

class GatewayFleet implements Fleet {
  readonly name: string
  readonly isShared = true
  readonly store = null
  readonly #client: Client

  constructor(client: Client, name: string) {
    this.#client = client
    this.name = name
  }

  async names(): Promise<readonly string[]> {
    return (await this.#client.queues()).map(({ name }) => name).sort()
  }

  queue(name: string): FleetQueue {
    const queue = this.#client.queue(name)
    const same: Omit<FleetQueue, 'add' | 'addMany' | 'schedules'> = queue
    // Tasks that are not known here take any input: the gateway checks them.
    return same as FleetQueue
  }

  async queueOf(id: string): Promise<FleetQueue | null> {
    for (const name of await this.names()) {
      const queue = this.queue(name)
      if (await queue.get(id)) return queue
    }
    return null
  }

  settled(queue: string, id: string): Promise<JobView | null> {
    return new Promise((resolve, reject) => {
      let last: WireJob | null = null
      this.#client.queue(queue).job(id).record$.subscribe({
        next: (job) => { last = job },
        error: (error: unknown) => {
          if (error instanceof TroupeError && error.code === 'unknown-job') resolve(null)
          else reject(error instanceof Error ? error : new Error(String(error)))
        },
        complete: () => { resolve(last && isSettled(last) ? last : null) },
      })
    })
  }

  workers: Fleet['workers'] = () => this.#client.workers()
  doctor: Fleet['doctor'] = () => this.#client.doctor()

  transitions: Fleet['transitions'] = (queue, listener) => {
    const seen = this.#client.observe({
      ...(queue !== null && { queue }),
      // A line that is missing is no reason to stop watching.
      onGap: () => undefined,
    })
    const subscription = seen.subscribe(listener)
    return () => { subscription.unsubscribe() }
  }

  close(): Promise<void> {
    this.#client.close()
    return Promise.resolve()
  }
}
