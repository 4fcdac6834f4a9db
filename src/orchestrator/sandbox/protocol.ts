import type { MessagePort } from 'node:worker_threads'
import type { Json } from '../../../machines/vocabulary.ts'
import type { ProgressInput } from '../../records/progress.ts'
import type { Job } from '../job.ts'
import type { PackedError } from './errors.ts'

/** The fields of a job that are plain data; the rest is made anew in the thread. */
export type JobFields = Omit<
  Job,
  'signal' | 'progress' | 'log' | 'throwIfCancelled' | 'snooze' | 'limitReached' | 'complete'
>

/** What a thread gets for one attempt. `port` carries reports out, and the abort in. */
export interface ThreadTask {
  /** A file: URL. */
  readonly module: string
  readonly job: JobFields
  readonly port: MessagePort
}

/** How the attempt ended in the thread. */
export type ThreadOutcome =
  | { readonly type: 'completed'; readonly result: Json | undefined }
  | { readonly type: 'failed'; readonly error: PackedError }
  /** The module has no handler: nothing ran. */
  | { readonly type: 'unloadable'; readonly error: PackedError }

/** What the handler reported since the last message. */
export interface ThreadReport {
  readonly progress: ProgressInput | null
  readonly lines: readonly string[]
}
