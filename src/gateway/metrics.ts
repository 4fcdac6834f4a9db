import type { Counter, Histogram, Registry } from 'prom-client'
import type * as Prometheus from 'prom-client'
import { TroupeErrorOf } from '../errors.ts'
import { phases, states } from '../../machines/vocabulary.ts'
import { wordOf } from '../orchestrator/transition-log.ts'
import type { Troupe } from '../orchestrator/troupe.ts'
import type { Transition } from '../records/transition.ts'
import type { Hub } from './streams/hub.ts'

interface Instruments {
  readonly registry: Registry
  readonly requests: Counter
  readonly durations: Histogram
  readonly transitions: Counter
}

const secondBounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10]

/** Figures for Prometheus. Nothing is loaded or counted before somebody has asked for them. */
export class Metrics {
  readonly #troupe: Troupe
  readonly #hub: Hub
  #instruments: Promise<Instruments> | null = null
  #ready: Instruments | null = null

  constructor(troupe: Troupe, hub: Hub) {
    this.#troupe = troupe
    this.#hub = hub
  }

  /** Rejects with `missing-package`. */
  async scrape(): Promise<{ readonly type: string; readonly text: string }> {
    this.#instruments ??= this.#begin().catch((error: unknown) => {
      this.#instruments = null
      throw error
    })
    const { registry } = await this.#instruments
    // A queue may have been declared since.
    await this.#hub.start()
    return { type: registry.contentType, text: await registry.metrics() }
  }

  request(route: string, method: string, status: number, seconds: number): void {
    this.#ready?.requests.inc({ route, method, status: String(status) })
    this.#ready?.durations.observe({ route, method }, seconds)
  }

  async #begin(): Promise<Instruments> {
    const { Registry, Gauge, Counter, Histogram } = await load()
    const registry = new Registry()
    const registers = [registry]
    const troupe = this.#troupe
    const hub = this.#hub
    new Gauge({
      name: 'troupe_jobs', help: 'Jobs by state; those that are queued by phase as well.',
      labelNames: ['queue', 'state', 'phase'], registers,
      async collect() {
        this.reset()
        for (const queue of troupe.queues()) {
          const counts = await queue.counts()
          for (const state of states) {
            if (state !== 'queued') {
              this.set({ queue: queue.name, state, phase: '' }, counts[state])
            } else {
              for (const phase of phases) {
                this.set({ queue: queue.name, state, phase }, counts[phase])
              }
            }
          }
        }
      },
    })
    new Gauge({
      name: 'troupe_gateway_streams', help: 'Open streams.', registers,
      collect() { this.set(hub.size) },
    })
    const instruments: Instruments = {
      registry,
      requests: new Counter({
        name: 'troupe_gateway_requests_total', help: 'Requests since the first scrape.',
        labelNames: ['route', 'method', 'status'], registers,
      }),
      durations: new Histogram({
        name: 'troupe_gateway_request_duration_seconds',
        help: 'From a request to the head of its answer.',
        labelNames: ['route', 'method'], buckets: secondBounds, registers,
      }),
      transitions: new Counter({
        name: 'troupe_transitions_total', help: 'Transitions since the first scrape.',
        labelNames: ['queue', 'transition'], registers,
      }),
    }
    hub.onTransition = (transition: Transition) => {
      instruments.transitions.inc({ queue: transition.queue, transition: wordOf(transition) })
    }
    this.#ready = instruments
    return instruments
  }
}

async function load(): Promise<typeof Prometheus> {
  try {
    return await import('prom-client')
  } catch (error) {
    throw new TroupeErrorOf(
      'missing-package', 'metrics need the package prom-client: npm install prom-client',
      { package: 'prom-client' }, { cause: error },
    )
  }
}
