import { phases, states } from '../../machines/vocabulary.ts'
import type { Schedule } from '../orchestrator/schedules/schedules.ts'
import type { HeldKey } from '../records/job.ts'
import { addOptionNames } from '../records/options.ts'
import { catchUps, overlaps } from '../records/schedule.ts'
import type { WorkerInfo } from '../stores/reading.ts'
import type { SchemaName } from './call.ts'
import { fleetSchemas } from './openapi-fleet.ts'
import {
  any, byKey, complete, described, error, flag, list, nullable, object, ref, state, text, time,
  whole,
} from './openapi-words.ts'
import type { PartName, Schema } from './openapi-words.ts'
import { actions, gatewayCodes, jobActions, previewLimit, protocolVersion } from './protocol.ts'
import type { WireJobLine } from './protocol.ts'

/** What a job is, wherever it is sent. */
const job: { readonly [K in keyof WireJobLine]: Schema } = {
  id: text, queue: text, task: text, state, phase: nullable({ enum: phases }), priority: whole,
  rev: whole, attempt: whole, failures: whole, stalls: whole, fence: whole, createdAt: time,
  runAt: time, expiresAt: nullable(time), startedAt: nullable(time), settledAt: nullable(time),
  reason: nullable(text), by: nullable(text), label: nullable(text), partition: nullable(text),
  meta: any, progress: nullable(object({
    current: { type: 'number' }, total: nullable({ type: 'number' }), message: nullable(text),
    percent: nullable({ type: 'number' }),
  })),
  dependsOn: list(text), openParents: whole, onParentFailure: text, after: nullable(text),
  ttlMs: nullable(whole), lease: nullable({ type: 'object' }), policy: nullable({ type: 'object' }),
  dedupe: nullable(described<HeldKey>({ key: text, until: nullable(time) })),
  error: nullable(error), can: list({ enum: jobActions }),
}

const add: { readonly [name: string]: Schema } = {
  task: text, input: any, options: ref('Options'),
}

export const schemas: { readonly [N in SchemaName | PartName]: Schema } = {
  ...fleetSchemas,
  Any: any,
  Empty: { type: 'object', maxProperties: 0 },
  Options: {
    ...object(Object.fromEntries(addOptionNames.map((name) => [name, any]))),
    additionalProperties: false,
  },
  Add: object(add, ['task']),
  AddMany: complete({ jobs: list(ref('Add')) }),
  Flow: object({
    jobs: byKey(object({ queue: text, ...add }, ['queue', 'task'])), after: byKey(list(text)),
  }, ['jobs']),
  Cancel: object({ reason: text }),
  Reschedule: complete({
    when: { anyOf: [time, text], description: 'A time, a duration or now.' },
  }),
  Bulk: object({ filter: { type: 'object' }, dryRun: flag, reason: text }),
  ScheduleSpec: object({
    every: { anyOf: [whole, text] }, cron: text, timeZone: text, startAt: time, endAt: time,
    limit: whole, overlap: text, catchUp: text, task: text, input: any,
  }, ['task']),
  Preview: object({
    rule: object({
      every: { anyOf: [whole, text] }, cron: text, timeZone: text, startAt: time, endAt: time,
      limit: whole,
    }),
    count: { type: 'integer', minimum: 1, maximum: previewLimit },
  }, ['rule']),
  Hello: complete({
    protocol: { const: protocolVersion }, version: text, user: text, readOnly: flag,
    queues: list(text),
  }),
  Counts: complete(Object.fromEntries([...states, ...phases].map((name) => [name, whole]))),
  Queue: complete({
    name: text, counts: ref('Counts'), paused: flag, limitedUntil: nullable(time),
    rateLimit: nullable(object({ max: whole, perMs: whole, perPartition: flag })),
    concurrencyPerPartition: nullable(whole), maxQueued: nullable(whole), tasks: list(text),
    can: list({ enum: actions }),
  }, { isBounded: { const: true } }),
  Queues: complete({ queues: list(ref('Queue')) }),
  JobLine: complete(job),
  Job: complete({ ...job, input: any, result: any, log: any, timeline: list(any) }),
  Page: complete({
    jobs: list(ref('JobLine')), cursor: nullable(text),
    stopped: nullable(complete({ scanned: whole, createdAt: time })),
  }),
  Handle: complete({ id: text, queue: text, created: flag, foundIn: nullable(state) }),
  Handles: complete({ jobs: list(ref('Handle')) }),
  FlowHandles: complete({ jobs: byKey(ref('Handle')) }),
  Answer: complete({ answer: text }),
  Explanation: complete({
    why: text, text, record: nullable(ref('Job')), until: nullable(time), ahead: nullable(whole),
    waitsFor: list(complete({ id: text, state: text })), worker: nullable(text),
    since: nullable(time), abandoned: list(text),
  }),
  BulkAnswer: object({ matched: whole, done: whole, awaited: whole, over: flag },
    ['matched', 'done', 'over']),
  Schedule: described<Schedule>({
    key: text, rule: { type: 'object' }, task: text, input: any, overlap: { enum: overlaps },
    catchUp: { enum: catchUps }, createdAt: time, paused: flag, nextAt: nullable(time),
    lastAt: nullable(time), lastJobId: nullable(text), fired: whole, skipped: whole, missed: whole,
  }),
  Schedules: complete({ schedules: list(ref('Schedule')) }),
  Times: complete({ times: list(time) }),
  Workers: complete({
    workers: list(described<WorkerInfo>({
      worker: text, queues: list(complete({ name: text, tasks: list(text) })), version: text,
      startedAt: time, running: whole, at: time,
    })),
  }),
  Findings: complete({
    findings: list(complete({
      check: text, level: { enum: ['ok', 'warning', 'error'] }, found: text,
      advice: nullable(text),
    })),
  }),
  AuditTrail: complete({
    lines: list(complete({
      at: time, user: text, action: text, queue: nullable(text), jobId: nullable(text),
      outcome: text,
    })),
  }),
  Ready: complete({
    ready: flag, reason: nullable({ enum: ['closing', 'stopped', 'store-failed'] }),
  }),
  Error: complete({
    error: complete({
      code: { type: 'string', description: `Of the library, or: ${gatewayCodes.join(', ')}.` },
      message: text, details: { type: 'object' },
    }),
  }),
}
