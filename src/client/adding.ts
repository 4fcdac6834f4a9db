import { paths } from '../gateway/protocol.ts'
import type {
  WireAdd, WireFlowHandles, WireFlowJob, WireHandle, WireHandles,
} from '../gateway/protocol.ts'
import { invalidOption } from '../errors.ts'
import type { ClientEnv } from './client-env.ts'
import type { Transport } from './transport.ts'
import { toWireAdd } from './wire-options.ts'

/** A job on its way: `isOwnId` when the client made up its id. */
interface Parcel {
  readonly job: WireAdd
  readonly isOwnId: boolean
}

/** What `spec` makes, for `flow`. */
export class RemoteSpec {
  readonly queue: string
  readonly task: string
  readonly parcel: Parcel

  constructor(queue: string, parcel: Parcel) {
    this.queue = queue
    this.task = parcel.job.task
    this.parcel = parcel
  }
}

/** Sends new jobs: each with an id, so that a request can be repeated when its answer was lost. */
export class Adding {
  readonly #transport: Transport
  readonly #env: ClientEnv

  constructor(transport: Transport) {
    this.#transport = transport
    this.#env = transport.options.env
  }

  pack(task: string, input: unknown, options: object = {}): Parcel {
    const id = this.#env.id()
    const job = toWireAdd(task, input, options, id)
    return { job, isOwnId: job.options?.['id'] === id }
  }

  async add(queue: string, parcel: Parcel): Promise<WireHandle> {
    const { answer, repeated } = await this.#send<WireHandle>(paths.jobs(queue), parcel.job)
    return asAdded(answer, parcel, repeated)
  }

  async addMany(queue: string, parcels: readonly Parcel[]): Promise<readonly WireHandle[]> {
    const body = { jobs: parcels.map(({ job }) => job) }
    const { answer, repeated } = await this.#send<WireHandles>(paths.batch(queue), body)
    return answer.jobs.map((handle, index) => asAdded(handle, parcels[index], repeated))
  }

  async flow(
    specs: Readonly<Record<string, unknown>>, after: object,
  ): Promise<ReadonlyMap<string, WireHandle>> {
    const parcels = new Map<string, Parcel>()
    const jobs: Record<string, WireFlowJob> = {}
    for (const [key, spec] of Object.entries(specs)) {
      if (!(spec instanceof RemoteSpec)) {
        throw invalidOption(`jobs.${key}`, "made by spec() of a client's queue", spec)
      }
      parcels.set(key, spec.parcel)
      jobs[key] = { queue: spec.queue, ...spec.parcel.job }
    }
    const { answer, repeated } = await this.#send<WireFlowHandles>(paths.flow, { jobs, after })
    return new Map(Object.entries(answer.jobs).map(([key, handle]) =>
      [key, asAdded(handle, parcels.get(key), repeated)]))
  }

  #send<T>(path: string, body: object): Promise<{ answer: T; repeated: boolean }> {
    return this.#transport.ask<T>({ method: 'POST', path, body, again: 'some' })
  }
}

/** A repeated request that finds a job under an id which the client made up finds its own. */
function asAdded(handle: WireHandle, parcel: Parcel | undefined, repeated: boolean): WireHandle {
  const isOwn = repeated && parcel?.isOwnId && parcel.job.options?.['id'] === handle.id
  return isOwn ? { ...handle, created: true, foundIn: null } : handle
}
