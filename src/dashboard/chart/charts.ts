import { signal } from '@preact/signals'
import { fleetPaths } from '../../gateway/fleet-protocol.ts'
import type { WireCharts } from '../../gateway/fleet-protocol.ts'
import { jobChart, queueChart } from './geometry.ts'
import { ask } from '../shell/ask.ts'

/** The charts as the gateway defines them; without one, those that the page came with. */
export const charts = signal<WireCharts>({ job: jobChart, queue: queueChart })

/** Asks the gateway for its own. */
export async function fetchCharts(): Promise<void> {
  charts.value = await ask<WireCharts>(fleetPaths.charts, {})
}
