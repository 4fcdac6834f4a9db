import { invalidOption } from '../errors.ts'
import { integer } from '../records/options.ts'
import { checkNames } from '../orchestrator/tasks.ts'

/** What one client can ask of the process. */
export interface Limits {
  /** Bytes of a body. Default 1 MiB and 64 KiB. */
  readonly bodyBytes: number
  /** Levels of a body, its own included. Default 32. */
  readonly bodyDepth: number
  /** Within this time a body must have come, in milliseconds. Default 10,000. */
  readonly bodyMs: number
  /** Bytes of URL and headers. Default 16 KiB. */
  readonly headerBytes: number
  /** Open streams, of all users. Default 2,000. */
  readonly streams: number
  /** Open streams of one user. Default 1,000. */
  readonly streamsPerUser: number
  /**
   * So long a stream stays open at most, in milliseconds; its client comes again at once, and is
   * looked at again. Default an hour.
   */
  readonly streamMs: number
  /**
   * Requests a second of one address, twice as many at once; behind `fetch`, which sees no
   * address, of one user. Default 1,000.
   */
  readonly requestsPerSecond: number
}

const defaults: Limits = {
  bodyBytes: 1024 * 1024 + 64 * 1024,
  bodyDepth: 32,
  bodyMs: 10_000,
  headerBytes: 16 * 1024,
  streams: 2000,
  streamsPerUser: 1000,
  streamMs: 3_600_000,
  requestsPerSecond: 1000,
}

const highest: Limits = {
  bodyBytes: 1024 * 1024 * 1024,
  bodyDepth: 200,
  bodyMs: 3_600_000,
  headerBytes: 1024 * 1024,
  streams: 1_000_000,
  streamsPerUser: 1_000_000,
  streamMs: 365 * 86_400_000,
  requestsPerSecond: 1_000_000,
}

export function parseLimits(given: unknown): Limits {
  const path = 'createGateway.limits'
  if (given === undefined) return defaults
  if (typeof given !== 'object' || given === null) throw invalidOption(path, 'an object', given)
  checkNames(given, Object.keys(defaults), path)
  const limits: { -readonly [K in keyof Limits]: Limits[K] } = { ...defaults }
  for (const [name, value] of Object.entries(given)) {
    const key = name as keyof Limits
    if (value !== undefined) limits[key] = integer(value, `${path}.${name}`, 1, highest[key])
  }
  return limits
}

/** Addresses that are remembered; the ones that were quiet longest are forgotten first. */
const rememberedAddresses = 10_000

interface Bucket {
  tokens: number
  at: number
}

/** So many requests a second for each key, and twice as many at once. */
export class RateLimit {
  readonly #perSecond: number
  readonly #monotonic: () => number
  readonly #buckets = new Map<string, Bucket>()

  constructor(perSecond: number, monotonic: () => number) {
    this.#perSecond = perSecond
    this.#monotonic = monotonic
  }

  /** Takes one; answers in how many milliseconds there is one again, 0 when it was had. */
  take(key: string): number {
    const now = this.#monotonic()
    const most = this.#perSecond * 2
    const old = this.#buckets.get(key)
    const gained = old ? ((now - old.at) / 1000) * this.#perSecond : most
    const tokens = Math.min(most, (old?.tokens ?? 0) + gained)
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens: tokens >= 1 ? tokens - 1 : tokens, at: now })
    if (this.#buckets.size > rememberedAddresses) {
      const [oldest] = this.#buckets.keys()
      if (oldest !== undefined) this.#buckets.delete(oldest)
    }
    return tokens >= 1 ? 0 : Math.ceil(((1 - tokens) / this.#perSecond) * 1000)
  }
}
