import { version } from '../../orchestrator/leases.ts'
import { queuesOf } from '../call.ts'
import type { Call, Reply, Route } from '../call.ts'
import { protocolVersion, streamFilters } from '../protocol.ts'
import type {
  WireAuditTrail, WireFindings, WireHello, WireReady, WireWorkers,
} from '../protocol.ts'
import { openStream } from './stream.ts'

export const serverRoutes: readonly Route[] = [
  {
    method: 'GET', path: '/v1', access: 'user', answer: 'Hello',
    summary: 'Who the user is, and which queues there are for them.', handle: hello,
  },
  {
    method: 'GET', path: '/v1/workers', access: 'operate', answer: 'Workers',
    summary: 'The workers that are alive.',
    handle: async ({ house }) =>
      ({ json: { workers: await house.troupe.workers() } satisfies WireWorkers }),
  },
  {
    method: 'GET', path: '/v1/doctor', access: 'operate', answer: 'Findings',
    summary: 'What is amiss with the store, and what to do about it.',
    handle: async ({ house }) =>
      ({ json: { findings: await house.troupe.doctor() } satisfies WireFindings }),
  },
  {
    method: 'GET', path: '/v1/audit', access: 'audit', answer: 'AuditTrail',
    summary: 'The newest 1,000 lines of the audit trail.',
    handle: ({ house, write }) => ({
      json: { lines: house.audit.lines.map((line) => write.audit(line)) } satisfies WireAuditTrail,
    }),
  },
  {
    method: 'GET', path: '/v1/stream', access: 'user', answer: 'Any', type: 'text/event-stream',
    summary: 'Server-sent events: each transition and report of progress.',
    query: [...streamFilters, 'meta.', 'from'], handle: openStream,
  },
  {
    method: 'GET', path: '/health', access: 'open', answer: 'Any',
    summary: 'The process answers.', handle: () => ({ json: { ok: true } }),
  },
  {
    method: 'GET', path: '/ready', access: 'open', answer: 'Ready',
    summary: 'Whether jobs can be added now, and why not.', handle: ready,
  },
  {
    method: 'GET', path: '/metrics', access: 'operate', answer: 'Any', type: 'text/plain',
    summary: 'Figures for Prometheus.', handle: metrics,
  },
]

function hello(call: Call): Reply {
  const json: WireHello = {
    protocol: protocolVersion,
    version,
    user: call.visitor.name,
    readOnly: call.house.settings.readOnly,
    queues: queuesOf(call).map(({ name }) => name),
  }
  return { json }
}

async function ready({ house }: Call): Promise<Reply> {
  const reason = house.isClosing() ? 'closing' : await reasonOf(house)
  const json: WireReady = { ready: reason === null, reason }
  return { status: reason === null ? 200 : 503, json }
}

async function reasonOf({ troupe }: Call['house']): Promise<WireReady['reason']> {
  try {
    troupe.queues()
  } catch {
    return 'stopped'
  }
  try {
    await troupe.workers()
    return null
  } catch {
    return 'store-failed'
  }
}

async function metrics({ house }: Call): Promise<Reply> {
  const { type, text } = await house.metrics.scrape()
  return { status: 200, headers: { 'content-type': type }, body: text }
}
