import { AsyncLocalStorage } from 'node:async_hooks'
import { context, ROOT_CONTEXT } from '@opentelemetry/api'
import type { Attributes, Context, ContextManager } from '@opentelemetry/api'
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import type { Histogram } from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { afterAll, beforeAll } from 'vitest'

/** Keeps the active context over awaits, as the SDK for Node does. */
class AsyncContext implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context, work: F, self?: ThisParameterType<F>, ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => work.call(self, ...args))
  }

  bind<T>(_active: Context, target: T): T {
    return target
  }

  enable(): this {
    return this
  }

  disable(): this {
    this.#storage.disable()
    return this
  }
}

class Reader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** One measured point: its value, or count and sum of a histogram. */
export interface Point {
  readonly labels: Attributes
  readonly value: number | { readonly count: number | undefined; readonly sum: number | undefined }
}

/** The real SDKs, with everything they export kept in memory. */
export function startSdk() {
  const exporter = new InMemorySpanExporter()
  const traces = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const reader = new Reader()
  const meters = new MeterProvider({ readers: [reader] })
  return {
    tracer: traces.getTracer('test'),
    meter: meters.getMeter('test'),
    /** Spans that have ended. */
    spans: (): ReadableSpan[] => exporter.getFinishedSpans(),
    metric: async (name: string) => {
      const { resourceMetrics } = await reader.collect()
      const metrics = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)
      const metric = metrics.find(({ descriptor }) => descriptor.name === name)
      const points = (metric?.dataPoints ?? []).map(({ attributes, value }): Point => ({
        labels: attributes,
        value: typeof value === 'number'
          ? value
          : { count: (value as Histogram).count, sum: (value as Histogram).sum },
      }))
      return { unit: metric?.descriptor.unit, points }
    },
  }
}

/** Call once per file: the active context goes over awaits. */
export function useAsyncContext(): void {
  beforeAll(() => { context.setGlobalContextManager(new AsyncContext()) })
  afterAll(() => { context.disable() })
}
