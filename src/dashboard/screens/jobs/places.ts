import type { ListOptions } from '../../../orchestrator/filter.ts'
import { client } from '../../shell/session.ts'
import { noting } from '../noting.ts'

/** Jobs of a queue that are looked at between its first and its last. */
const samples = 8

/** A job that was looked at: its share of the queue's list lies in front of it. */
interface Sample {
  readonly share: number
  readonly createdAt: number
}

/** Samples of a queue in the order of adding, and how many jobs of it are listed. */
interface Line {
  readonly jobs: number
  readonly samples: readonly Sample[]
}

/**
 * When the jobs of a list were added, roughly: no store says which job is the half-millionth.
 * From the times of some of them follows about where a row is.
 */
export class Places {
  readonly #lines: readonly Line[]
  /** When the first and the last job was added. */
  readonly span: readonly [first: number, last: number]

  private constructor(lines: readonly Line[]) {
    this.#lines = lines
    this.span = [
      Math.min(...lines.map(({ samples: [first] }) => first?.createdAt ?? Infinity)),
      Math.max(...lines.map(({ samples }) => samples.at(-1)?.createdAt ?? 0)),
    ]
  }

  /**
   * Looks at some jobs of each queue; null when there are none. `sizes` says how many it has that
   * are listed, `options` are those of the list.
   */
  static async of(
    queues: readonly string[], sizes: ReadonlyMap<string, number>, options: ListOptions,
  ): Promise<Places | null> {
    const lines = await Promise.all(queues.map(async (queue) =>
      ({ jobs: sizes.get(queue) ?? 0, samples: await lookAt(queue, options) })))
    const some = lines.filter(({ jobs, samples }) => jobs > 0 && samples.length > 0)
    return some.length === 0 ? null : new Places(some)
  }

  /** When about `share` of all jobs had been added. */
  timeOf(share: number): number {
    let [low, high] = this.span
    // Times are whole: as many halvings as a span of a hundred years has bits.
    for (let turn = 0; turn < 42 && high - low > 1; turn += 1) {
      const middle = Math.floor((low + high) / 2)
      if (this.#shareAt(middle) < share) low = middle
      else high = middle
    }
    return high
  }

  #shareAt(time: number): number {
    let before = 0
    let all = 0
    for (const { jobs, samples } of this.#lines) {
      before += jobs * along(samples, time)
      all += jobs
    }
    return before / all
  }
}

/** Between two samples time goes evenly. */
function along(line: readonly Sample[], time: number): number {
  const behind = line.findIndex(({ createdAt }) => createdAt > time)
  if (behind === 0) return 0
  const next = line[behind]
  const last = line[behind - 1]
  if (!next || !last) return 1
  const part = (time - last.createdAt) / (next.createdAt - last.createdAt)
  return last.share + part * (next.share - last.share)
}

async function lookAt(queue: string, options: ListOptions): Promise<readonly Sample[]> {
  const [first, last] = await Promise.all([
    firstOf(queue, { ...options, order: 'asc' }), firstOf(queue, { ...options, order: 'desc' }),
  ])
  if (!first || !last) return []
  const from = first.number
  const to = last.number
  const found = from === null || to === null ? []
    : await Promise.all(Array.from({ length: samples }, async (_none, index) => {
      const share = (index + 1) / (samples + 1)
      const cursor = `createdAt+0:${String(Math.round(from + share * (to - from)))}`
      const sample = await firstOf(queue, { ...options, order: 'asc', cursor })
      return sample ? [{ share, createdAt: sample.createdAt }] : []
    }))
  return [
    { share: 0, createdAt: first.createdAt }, ...found.flat(),
    { share: 1, createdAt: last.createdAt },
  ]
}

/**
 * `number` counts the jobs of a store, and is read from the cursor. One that tells none of it is
 * no fault: then the first and the last job have to do.
 */
async function firstOf(queue: string, options: ListOptions): Promise<{
  readonly createdAt: number
  readonly number: number | null
} | null> {
  const { jobs: [job], cursor } = await noting(client.queue(queue).list({ ...options, limit: 1 }))
  const [, number] = /^createdAt[+-]\d+:(\d+)$/.exec(cursor ?? '') ?? []
  return job ? { createdAt: job.createdAt, number: number === undefined ? null : Number(number) }
    : null
}
