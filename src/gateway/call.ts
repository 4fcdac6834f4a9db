import { TroupeErrorOf } from '../errors.ts'
import type { JobRecord } from '../records/job.ts'
import type { Queue } from '../orchestrator/queue.ts'
import type { Tasks } from '../orchestrator/tasks.ts'
import type { Troupe } from '../orchestrator/troupe.ts'
import type { Audit } from './audit.ts'
import type { Answer, GatewayRequest } from './exchange.ts'
import type { Fleet } from './fleet/fleet.ts'
import type { Visitor } from './grant.ts'
import type { Metrics } from './metrics.ts'
import type { Settings } from './options.ts'
import type { Action, ServerAction } from './protocol.ts'
import { Refusal } from './refusal.ts'
import type { Hub } from './streams/hub.ts'
import type { Writer } from './wire.ts'

/** What all requests share. */
export interface House {
  readonly troupe: Troupe
  readonly settings: Settings
  readonly audit: Audit
  readonly hub: Hub
  readonly fleet: Fleet
  readonly metrics: Metrics
  isClosing(): boolean
}

/** A request that was let in. */
export interface Call {
  readonly house: House
  readonly request: GatewayRequest
  /** The parts of the path that the route names. */
  readonly params: Readonly<Record<string, string>>
  /** Empty where the route has none. */
  readonly body: Readonly<Record<string, unknown>>
  readonly visitor: Visitor
  readonly write: Writer
  /** Says in the audit trail what came of it. */
  note(outcome: string, jobId?: string | null): void
}

/** What a route answers: JSON, or an answer of its own making. */
export type Reply = { readonly status?: number; readonly json: unknown } | Answer

/** Bodies and answers that the OpenAPI document has a schema of. */
export type SchemaName =
  | 'Add' | 'AddMany' | 'Flow' | 'Cancel' | 'Empty' | 'Reschedule' | 'Bulk' | 'ScheduleSpec'
  | 'Preview'
  | 'Hello' | 'Queues' | 'Queue' | 'Page' | 'Job' | 'Handle' | 'Handles' | 'FlowHandles' | 'Answer'
  | 'Explanation' | 'BulkAnswer' | 'Schedules' | 'Schedule' | 'Times' | 'Workers' | 'Findings'
  | 'AuditTrail' | 'Ready' | 'Any' | 'FleetCharts' | 'FleetEvents' | 'FleetMoment' | 'FleetSeries'
  | 'FleetExport' | 'FleetFailures' | 'FleetTraversals'

/** One row of the table that routing, authorisation and the OpenAPI document go by. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** `/v1/queues/{queue}`: parameters stand for one part of the path each. */
  readonly path: string
  /**
   * What the user must be allowed to; `each`: the handler looks at each job; `user`: nothing but
   * to be somebody; `open`: not even that.
   */
  readonly access: Action | ServerAction | 'each' | 'user' | 'open'
  readonly summary: string
  /** Parameters of the query; `meta.` stands for all that begin so. */
  readonly query?: readonly string[]
  readonly body?: SchemaName
  readonly answer: SchemaName
  /** Content type of the answer. Default JSON. */
  readonly type?: string
  /** What it is called in the audit trail; left out when nothing changes. */
  readonly audited?: string
  readonly handle: (call: Call) => Promise<Reply> | Reply
}

/** Throws unless the user may. */
export function allow(visitor: Visitor, action: Action | ServerAction, queue: string | null): void {
  if (visitor.may(action, queue)) return
  const where = queue === null ? '' : ` on queue ${queue}`
  if (visitor.mayOtherwise(action, queue)) {
    throw new Refusal('read-only', 'this gateway is read-only: it changes nothing', { action })
  }
  throw new Refusal('forbidden', `you may not ${action}${where}`, { action, queue })
}

/** The queue with this name, in the user's name; one that is not theirs is as unknown as any. */
export function findQueue({ house, visitor }: Pick<Call, 'house' | 'visitor'>, name: string):
Queue<Tasks> {
  const queue = queuesOf({ house, visitor }).find((each) => each.name === name)
  if (queue) return queue
  const shown = name.slice(0, 128)
  throw new Refusal('unknown-queue', `there is no queue ${JSON.stringify(shown)} here`, {
    queue: shown,
  })
}

/** The queues that exist for the user. */
export function queuesOf(
  { house, visitor }: Pick<Call, 'house' | 'visitor'>,
): readonly Queue<Tasks>[] {
  return house.troupe.queues({ by: visitor.name }).filter(({ name }) => visitor.knows(name))
}

/** The queue that the path names. */
export function queueOf(call: Call): Queue<Tasks> {
  return findQueue(call, param(call, 'queue'))
}

export function param({ params }: Call, name: string): string {
  return params[name] ?? ''
}

/** The job that the path names, or null when there is none for the user. */
export async function recordOf(call: Call): Promise<JobRecord | null> {
  const record = await queueOf(call).get(param(call, 'id'))
  return record && call.visitor.sees(record) ? record : null
}

export function unknownJob(id: string): TroupeErrorOf<'unknown-job'> {
  return new TroupeErrorOf('unknown-job', `there is no job ${JSON.stringify(id)}`, { id })
}
