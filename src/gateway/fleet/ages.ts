import { leaves } from '../fleet-protocol.ts'
import type { WireAges } from '../fleet-protocol.ts'
import { nowhere } from './fold.ts'

/** Jobs of each leaf that are remembered. */
export const sampleLimit = 2048

/**
 * How long jobs have been where they are. Of many jobs a sample is remembered that goes by their
 * ids, so that a job which enters a sample also leaves it.
 */
export class Ages {
  readonly #samples = leaves.map(() => new Sample())

  move(jobId: string, from: number, to: number, at: number): void {
    if (from === to) return
    if (from !== nowhere) this.#samples[from]?.leave(jobId)
    if (to !== nowhere) this.#samples[to]?.enter(jobId, at)
  }

  /** Jobs that were in a leaf before anybody looked: these out of `count`. */
  seed(place: number, since: readonly (readonly [jobId: string, at: number])[], count: number):
  void {
    this.#samples[place]?.seed(since, count)
  }

  /** What retention removed told nobody: the oldest go, until there are no more than that. */
  limit(counts: readonly number[]): void {
    for (const [place, sample] of this.#samples.entries()) sample.limit(counts[place] ?? 0)
  }

  at(now: number): WireAges['ages'] {
    return this.#samples.map((sample) => sample.percentiles(now))
  }
}

class Sample {
  readonly #since = new Map<string, number>()
  /** One of so many jobs is remembered: a power of two. */
  #every = 1

  enter(jobId: string, at: number): void {
    if (this.#since.size === 0) this.#every = 1
    if (!this.#takes(jobId)) return
    this.#since.set(jobId, at)
    while (this.#since.size > sampleLimit) {
      this.#every *= 2
      for (const id of this.#since.keys()) if (!this.#takes(id)) this.#since.delete(id)
    }
  }

  seed(since: readonly (readonly [jobId: string, at: number])[], count: number): void {
    if (since.length === 0) return
    while (this.#every * since.length < count) this.#every *= 2
    const later = [...this.#since]
    this.#since.clear()
    // In the order of entering, as `limit` has it.
    for (const [jobId, at] of [...since].sort(([, a], [, b]) => a - b)) this.#since.set(jobId, at)
    for (const [jobId, at] of later) if (this.#takes(jobId)) this.#since.set(jobId, at)
  }

  leave(jobId: string): void {
    this.#since.delete(jobId)
  }

  limit(count: number): void {
    for (const id of this.#since.keys()) {
      if ((this.#since.size - 1) * this.#every < count) return
      this.#since.delete(id)
    }
  }

  percentiles(now: number): readonly [p50: number, p95: number] | null {
    const { size } = this.#since
    if (size === 0) return null
    const since = Float64Array.from(this.#since.values()).sort()
    // The younger half has begun later: the p95 of ages is near the front of the beginnings.
    const age = (share: number): number =>
      Math.max(0, Math.round(now - (since[size - Math.ceil(share * size)] ?? now)))
    return [age(0.5), age(0.95)]
  }

  #takes(jobId: string): boolean {
    return this.#every === 1 || hash(jobId) % this.#every === 0
  }
}

/** FNV-1a, with its bits mixed so that the low ones are as good as any. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  return (value ^ (value >>> 13)) >>> 0
}
