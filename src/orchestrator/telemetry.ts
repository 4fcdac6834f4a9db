import { invalidOption } from '../errors.ts'
import type { Change } from '../stores/store.ts'
import type { Middleware } from './job.ts'
import type { Logger } from './logger.ts'
import { logTransition } from './transition-log.ts'

/** What watches a troupe from outside: traces and metrics. `troupe/otel` makes one. */
export interface Telemetry {
  /** The trace in which `add` is called, as a W3C `traceparent`; it is kept with the job. */
  trace(): string | null
  /** Goes around every attempt, outside all other middleware. */
  readonly middleware: Middleware
  /**
   * Told of each committed transition of the queues that this process has declared; on a store
   * that several processes share, of those that this process has committed.
   */
  transition(change: Change): void
}

/** Refuses what is no telemetry: it would fail every attempt. */
export function checkTelemetry(given: unknown, path: string): void {
  for (const name of ['trace', 'middleware', 'transition']) {
    const value: unknown = typeof given === 'object' && given !== null
      ? (given as Record<string, unknown>)[name] : undefined
    if (typeof value !== 'function') throw invalidOption(`${path}.${name}`, 'a function', value)
  }
}

/** What a troupe tells of itself. Nothing here throws. */
export type Witness = Pick<Telemetry, 'trace' | 'transition'>

/** What may be kept with a job: one word of plain characters. */
const traceForm = /^[\x21-\x7e]{1,256}$/

/**
 * The log, and the telemetry if there is one: what that throws is reported, and fails neither an
 * `add` nor the commit that is told of. `logger` must not throw.
 */
export function witness(
  telemetry: Telemetry | undefined, logger: Logger,
  report: (message: string, error: unknown) => void,
): Witness {
  const attempt = <T>(what: string, call: () => T): T | undefined => {
    try {
      return call()
    } catch (error) {
      report(`the telemetry could not ${what}`, error)
      return undefined
    }
  }
  return {
    trace: () => {
      const trace = telemetry && attempt('tell the trace', () => telemetry.trace())
      return typeof trace === 'string' && traceForm.test(trace) ? trace : null
    },
    transition: (change) => {
      if (telemetry) attempt('take a transition', () => { telemetry.transition(change) })
      logTransition(logger, change)
    },
  }
}
