import type { Progress } from '../../machines/vocabulary.ts'
import type { JobLog, JobRecord } from '../records/job.ts'

export interface ProgressUpdate {
  readonly id: string
  readonly fence: number
  readonly by: string
  /** Null: nothing new. */
  readonly progress: Progress | null
  /** All lines that the job keeps; null: nothing new. */
  readonly log: JobLog | null
}

/** The record after the update, or null: another fence, or not running. */
export type ProgressAnswer = JobRecord | null
