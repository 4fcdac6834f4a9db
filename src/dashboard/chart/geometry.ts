import type { ChartGeometries, WireChart } from '../../gateway/fleet-protocol.ts'
import made from '../../gateway/fleet/geometry.json' with { type: 'json' }

/**
 * The charts and where what is in them stands: made by `npm run docs:layout` out of the machines
 * and of scripts/chart-plan.ts. The charts are here for a page without a server; one that has a
 * server draws what that one runs.
 */
const { jobChart, queueChart, jobGeometry, queueGeometry } = made as unknown as {
  readonly jobChart: WireChart
  readonly queueChart: WireChart
  readonly jobGeometry: ChartGeometries
  readonly queueGeometry: ChartGeometries
}

export { jobChart, jobGeometry, queueChart, queueGeometry }
