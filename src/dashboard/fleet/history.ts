import { fleetPaths } from '../../gateway/fleet-protocol.ts'
import type { WireMoment, WireSeries } from '../../gateway/fleet-protocol.ts'
import { ask, open } from '../shell/ask.ts'

/** A log that can be looked at: the gateway's, or one that was imported. */
export interface History {
  /** Ids of the job chart's edges, by their place in frames. */
  readonly edges: readonly string[]
  /** The last moment there is (epoch ms); null: it goes on. */
  readonly end: number | null
  readonly keptFrom: number | null
  /** Ids of edges that were taken at any time; null: whoever listens knows better. */
  readonly taken: ReadonlySet<string> | null
  moment(time: number, windowMs: number, signal?: AbortSignal): Promise<WireMoment>
  series(from: number, to: number, points: number, signal?: AbortSignal): Promise<WireSeries>
  /** Transitions as lines of JSON. */
  lines(from: number, to: number): Promise<Blob>
}

/** The log of the gateway; of one queue and task, or of all. */
export function gatewayHistory(
  edges: readonly string[], keptFrom: number | null, queue: string | null, task: string | null,
): History {
  return {
    edges,
    end: null,
    keptFrom,
    taken: null,
    moment: (time, windowMs, signal) => ask<WireMoment>(fleetPaths.at, {
      time: String(Math.round(time)), windowMs: String(windowMs), queue, task,
    }, signal),
    series: (from, to, points, signal) => ask<WireSeries>(fleetPaths.series, {
      from: String(Math.round(from)), to: String(Math.round(to)), points: String(points), queue,
      task,
    }, signal),
    lines: async (from, to) => {
      const query = { from: String(Math.round(from)), to: String(Math.round(to)), queue, task }
      return (await open(fleetPaths.export, query)).blob()
    },
  }
}
