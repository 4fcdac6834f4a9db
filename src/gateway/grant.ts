import type { Json } from '../../machines/vocabulary.ts'
import { invalidOption } from '../errors.ts'
import { isJsonEqual, toJson } from '../records/json.ts'
import type { JobRecord } from '../records/job.ts'
import { parseName } from '../records/options.ts'
import { checkNames } from '../orchestrator/tasks.ts'
import { actions, jobActions } from './protocol.ts'
import type { Action, JobAction, ServerAction } from './protocol.ts'

/** What `authorize` answers: who it is, and what they may. */
export interface Grant {
  /** 1 to 128 characters: in records, transitions and the audit trail. */
  readonly user: string
  /**
   * Whether the user may do this; `queue` is null for `operate` and `audit`. What is not answered
   * with `true` is refused. Default: everything.
   */
  readonly can?: (action: Action | ServerAction, queue: string | null) => boolean
  /**
   * Only jobs with this partition, or with these properties of `meta`, exist for the user. Such a
   * user may never `pause`, `resume`, `schedule`, `operate` or `audit`, whatever `can` says.
   */
  readonly scope?: Scope
}

export interface Scope {
  readonly partition?: string
  readonly meta?: { readonly [key: string]: Json }
}

/** What every job of a scope has. */
export interface Bounds {
  readonly partition: string | null
  readonly meta: { readonly [key: string]: Json } | null
}

const changing: ReadonlySet<string> = new Set(actions.filter((action) => action !== 'read'))
const scopedActions: ReadonlySet<string> = new Set(['read', 'add', ...jobActions])

/** A user, and what this gateway lets them do. */
export class Visitor {
  readonly name: string
  /** Null for who may see the jobs of all. */
  readonly bounds: Bounds | null
  readonly #can: Grant['can']
  readonly #isReadOnly: boolean

  constructor(grant: Grant, isReadOnly: boolean) {
    this.name = parseName(grant.user, 'authorize: user')
    this.bounds = grant.scope === undefined ? null : parseScope(grant.scope)
    this.#can = grant.can
    this.#isReadOnly = isReadOnly
    if (grant.can !== undefined && typeof grant.can !== 'function') {
      throw invalidOption('authorize: can', 'a function (action, queue) => boolean', grant.can)
    }
  }

  /** In read-only mode nobody may change anything. */
  may(action: Action | ServerAction, queue: string | null): boolean {
    if (this.#isReadOnly && changing.has(action)) return false
    return this.mayOtherwise(action, queue)
  }

  /** Whether it is for nothing but the read-only mode that they may not. */
  mayOtherwise(action: Action | ServerAction, queue: string | null): boolean {
    if (this.bounds && !scopedActions.has(action)) return false
    // A promise is no answer: only `true` is.
    return !this.#can || this.#can(action, queue) === true
  }

  /** A queue of which the user may do nothing at all does not exist for them. */
  knows(queue: string): boolean {
    return actions.some((action) => this.mayOtherwise(action, queue))
  }

  jobActions(queue: string): ReadonlySet<JobAction> {
    return new Set(jobActions.filter((action) => this.may(action, queue)))
  }

  /** Whether the job exists for the user. */
  sees({ partition, meta }: Pick<JobRecord, 'partition' | 'meta'>): boolean {
    return isWithin(this.bounds, partition, meta)
  }
}

/** Whether a job with these lies within the bounds. */
export function isWithin(bounds: Bounds | null, partition: string | null, meta: Json): boolean {
  if (!bounds) return true
  if (bounds.partition !== null && bounds.partition !== partition) return false
  return bounds.meta === null || hasAll(meta, bounds.meta)
}

function hasAll(meta: Json, wanted: { readonly [key: string]: Json }): boolean {
  if (typeof meta !== 'object' || meta === null || Array.isArray(meta)) return false
  const given = meta as { readonly [key: string]: Json }
  return Object.entries(wanted).every(([key, value]) =>
    Object.hasOwn(given, key) && isJsonEqual(given[key] as Json, value))
}

function parseScope(scope: unknown): Bounds {
  const path = 'authorize: scope'
  if (typeof scope !== 'object' || scope === null) throw invalidOption(path, 'an object', scope)
  checkNames(scope, ['partition', 'meta'], path)
  const { partition, meta } = scope as Scope
  // A scope that was meant and lets everything pass would be the worst of mistakes.
  if (partition === undefined && meta === undefined) {
    throw invalidOption(path, 'an object with partition, meta or both', scope)
  }
  if (meta !== undefined && (typeof meta !== 'object' || meta === null || Array.isArray(meta) ||
      Object.keys(meta).length === 0)) {
    throw invalidOption(`${path}.meta`, 'an object with at least one property', meta)
  }
  return {
    partition: partition === undefined ? null : parseName(partition, `${path}.partition`),
    meta: meta === undefined
      ? null : toJson(meta, `${path}.meta`, 16 * 1024) as { readonly [key: string]: Json },
  }
}
