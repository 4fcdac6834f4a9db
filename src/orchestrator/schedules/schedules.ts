import type { Json } from '../../../machines/vocabulary.ts'
import type { Duration } from '../../duration.ts'
import type { AddOptions } from '../../records/options.ts'
import type { catchUps, DecidedOption, overlaps } from '../../records/schedule.ts'
import type { JobHandle } from '../handle.ts'
import type { InputField, InputOf, Tasks } from '../tasks.ts'

/** When a schedule fires: an interval, or a cron expression. */
export type ScheduleRule = RuleBounds & (
  | {
      /**
       * At least 100 ms. Occurrences are whole intervals away from `startAt`, which is the first
       * one, or from the time of the first `upsert`, one interval before the first one.
       */
      readonly every: Duration
      readonly cron?: undefined
      readonly timeZone?: undefined
    }
  | {
      readonly every?: undefined
      /**
       * Minute, hour, day of month, month, day of week; or six fields with seconds in front. Also
       * `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
       */
      readonly cron: string
      /** The IANA time zone whose clock the expression goes by. Default `'UTC'`. */
      readonly timeZone?: string
    }
)

interface RuleBounds {
  /** No occurrence before: epoch milliseconds or a Date. */
  readonly startAt?: number | Date
  /** No occurrence after; one right then still fires. Epoch milliseconds or a Date. */
  readonly endAt?: number | Date
  /** At most so many occurrences add a job, ever; from 1. Default: no limit. */
  readonly limit?: number
}

/** What `schedules.upsert` takes: a rule, a task with its input, and options of `add`. */
export type ScheduleSpec<T extends Tasks, K extends keyof T & string> = ScheduleRule & {
  /**
   * While a job of this schedule is not settled, an occurrence adds another one all the same
   * (`'allow'`, the default), is skipped (`'skip'`), or cancels that job and adds one that starts
   * when it has ended (`'supersede'`).
   */
  readonly overlap?: (typeof overlaps)[number]
  /**
   * Occurrences that fell while no process could fire them: all are dropped, but the newest one
   * if it is at most 60 s late (`'none'`, the default); only the newest one is fired (`'one'`);
   * each is fired, in order (`'all'`).
   */
  readonly catchUp?: (typeof catchUps)[number]
  readonly task: K
} & Omit<AddOptions, DecidedOption> & InputField<InputOf<T[K]>>

/** A schedule as it is now. Times are epoch milliseconds. */
export interface Schedule {
  readonly key: string
  /** As it was given to `upsert`: intervals and times in milliseconds. */
  readonly rule: ScheduleRule
  readonly task: string
  readonly input: Json
  readonly overlap: (typeof overlaps)[number]
  readonly catchUp: (typeof catchUps)[number]
  readonly createdAt: number
  readonly paused: boolean
  /** The next occurrence; null while it is paused, and when there is none any more. */
  readonly nextAt: number | null
  /** The last occurrence that added a job, and the id of that job. */
  readonly lastAt: number | null
  readonly lastJobId: string | null
  /** Occurrences that added a job. */
  readonly fired: number
  /** Occurrences that came while a job was not settled, with `overlap: 'skip'`. */
  readonly skipped: number
  /**
   * Occurrences that `catchUp` dropped. Of one gap in a cron at most 10,000 are counted. What falls
   * into a pause is not counted at all.
   */
  readonly missed: number
}

/**
 * The schedules of a queue. They live in the store; each started process that has declared the
 * queue fires them, and each occurrence adds one job. All methods reject with `stopped` after the
 * end of the troupe, and with `store-failed` when the store could not read or write.
 */
export interface QueueSchedules<T extends Tasks> {
  /**
   * Stores a schedule under `key` (1 to 80 characters), or changes the one that is there in place:
   * it stays paused if it was, and keeps its counts; the rhythm of `every` begins anew only when
   * `every` or `startAt` is another one. A queue has at most 1,000 schedules, each with an input of
   * at most 64 KiB. Rejects with `invalid-option`, `invalid-input`, `too-large` or `unknown-task`,
   * and names the field.
   */
  upsert<K extends keyof T & string>(
    key: string, schedule: ScheduleSpec<T, K>,
  ): Promise<'created' | 'changed' | 'unchanged'>
  /** All schedules of the queue, by key. */
  list(): Promise<readonly Schedule[]>
  /** One schedule, or null when there is none with this key. */
  get(key: string): Promise<Schedule | null>
  /**
   * The next `count` occurrences (1 to 1,000; default 10) in epoch milliseconds, fewer when there
   * are no more: of a stored schedule, paused or not, or of a rule that was never stored. Rejects
   * with `unknown-schedule`, and with `invalid-option` for a rule that makes no sense.
   */
  preview(keyOrRule: string | ScheduleRule, count?: number): Promise<readonly number[]>
  /** Nothing fires until `resume`, in no process. */
  pause(key: string): Promise<'paused' | 'already-paused' | 'unknown'>
  /** Fires again, from the next occurrence on: those of the pause are left out. */
  resume(key: string): Promise<'resumed' | 'not-paused' | 'unknown'>
  /**
   * Adds a job of this schedule now, paused or not; no occurrence and no count changes. `overlap`
   * holds: with `'skip'` the handle may be of the job that is there, with `created: false`.
   * Rejects with `unknown-schedule` and `queue-full`.
   */
  trigger(key: string): Promise<JobHandle>
  /** Takes the schedule out. Jobs that it has added stay. */
  remove(key: string): Promise<'removed' | 'unknown'>
}
