import { createTroupe } from 'troupe'
import type { Job, Store, Troupe } from 'troupe'
import { onTestFinished } from 'vitest'
import { connect } from '../../src/client/connect.ts'
import type { Client, ConnectOptions } from '../../src/client/connect.ts'
import { createGateway } from '../../src/gateway/gateway.ts'
import type { GatewayOptions } from '../../src/gateway/gateway.ts'

/** Lets a job go on when the test says so. */
export class Gates {
  readonly #open = new Map<string, () => void>()
  readonly #passed = new Set<string>()

  pass(name: string): void {
    this.#passed.add(name)
    this.#open.get(name)?.()
  }

  wait(name: string, signal: AbortSignal): Promise<void> {
    if (this.#passed.has(name)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#open.set(name, resolve)
      signal.addEventListener('abort', () => { reject(signal.reason as Error) })
    })
  }
}

export function declareImages(troupe: Troupe, gates = new Gates()) {
  return troupe.queue('images', {
    concurrency: 4,
    tasks: {
      resize: async ({ input }: Job<{ file: string; width: number }>) =>
        ({ output: `${input.file}@${input.width}` }),
      gated: async (job: Job<{ gate: string }>) => {
        job.progress({ current: 1, total: 2, message: 'half' })
        await gates.wait(job.input.gate, job.signal)
        return job.input.gate
      },
      fail: () => { throw new Error('no such picture') },
      nothing: () => undefined,
    },
  })
}

export type Images = ReturnType<typeof declareImages>

interface FixtureOptions {
  readonly store?: Store
  readonly gateway?: GatewayOptions
  readonly client?: ConnectOptions
  readonly start?: boolean
}

/** A troupe, its gateway on a free port, and a client; all of it ends with the test. */
export async function serveImages(options: FixtureOptions = {}) {
  const gates = new Gates()
  const troupe = await createTroupe(options.store ? { store: options.store } : {})
  const images = declareImages(troupe, gates)
  const gateway = createGateway(troupe, options.gateway)
  const { url } = await gateway.listen({ port: 0 })
  const client = connectTo(url, options.client)
  if (options.start !== false) await troupe.start()
  onTestFinished(async () => {
    client.close()
    await gateway.close()
    await troupe.stop({ grace: 0 })
  })
  return { troupe, images, gates, gateway, url, client }
}

/** A client that ends with the test. */
export function connectTo(url: string, options: ConnectOptions = {}): Client {
  const client = connect(url, { retry: { delay: 10, maxDelay: 50 }, ...options })
  onTestFinished(() => { client.close() })
  return client
}
