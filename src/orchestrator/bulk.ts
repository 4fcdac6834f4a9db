import type { Env } from '../env.ts'
import type { State } from '../../machines/vocabulary.ts'
import { invalidOption } from '../errors.ts'
import type { JobFilter } from '../stores/reading.ts'
import type { JobRequest, RequestAnswer, Store } from '../stores/store.ts'
import { checkNames } from './tasks.ts'

export interface BulkAnswer {
  /** Jobs that the filter found. */
  readonly matched: number
  /** Of these, jobs that were changed; the others had moved on, or needed no change. */
  readonly done: number
}

export interface CleanAnswer extends BulkAnswer {
  /** Jobs that stay because one that has not completed depends on them. */
  readonly awaited: number
}

export interface BulkOptions<Answer extends BulkAnswer = BulkAnswer> {
  /** Count what would be matched, and change nothing. Default false. */
  readonly dryRun?: boolean
  /**
   * Called after each batch with the figures so far, and awaited. What it throws ends the work
   * there.
   */
  readonly onProgress?: (answer: Answer) => void | Promise<void>
}

export interface CancelManyOptions extends BulkOptions {
  /** Kept on the records. */
  readonly reason?: string
}

/** What a bulk verb needs of the troupe. */
export interface BulkContext {
  readonly store: Pick<Store, 'list' | 'apply'>
  readonly soon: Env['soon']
  /** Throws `stopped` when the troupe takes nothing any more. */
  readonly assertOpen: () => void
}

/** What a bulk verb does. */
export interface BulkWork<Answer extends BulkAnswer> {
  readonly filter: JobFilter
  /** When the filter names neither state nor phase. */
  readonly defaultStates: readonly State[]
  readonly oldestFirst: boolean
  readonly toRequest: (id: string) => JobRequest
  readonly toAnswer: (figures: CleanAnswer) => Answer
}

/** Jobs in one write, so that none of them holds up the queue. */
const batchSize = 500

/** Sends one request for each job of a filter; what is added meanwhile is left alone. */
export async function applyToAll<Answer extends BulkAnswer>(
  context: BulkContext, work: BulkWork<Answer>, options: BulkOptions<Answer>,
): Promise<Answer> {
  const { dryRun = false, onProgress } = options
  const { filter, defaultStates, toRequest, toAnswer } = work
  const states = filter.states ?? (filter.phase === null ? defaultStates : null)
  let figures: CleanAnswer = { matched: 0, done: 0, awaited: 0 }
  const pages = pagesOf(context, { ...filter, states })
  const batches = work.oldestFirst && !dryRun ? oldestFirst(context, pages) : pages
  for await (const ids of batches) {
    const answers = dryRun ? [] : await context.store.apply(ids.map(toRequest))
    figures = {
      matched: figures.matched + ids.length,
      done: figures.done + count(answers, 'moved'),
      awaited: figures.awaited + count(answers, 'awaited'),
    }
    await onProgress?.(toAnswer(figures))
  }
  return toAnswer(figures)
}

/**
 * The newest first: what is added meanwhile comes in front of all pages, and children, which are
 * newer than their parents, have their turn before these.
 */
async function* pagesOf(
  context: BulkContext, filter: JobFilter,
): AsyncGenerator<readonly string[]> {
  for (let cursor: string | null = null; ;) {
    const page = await context.store.list({
      ...filter, sort: 'createdAt', descending: true, limit: batchSize, cursor,
    })
    if (page.records.length > 0) yield page.records.map(({ id }) => id)
    if (page.cursor === null) return
    cursor = page.cursor
    await pass(context)
  }
}

/** For a retry: a child whose parent still stands as failed would fail again at once. */
async function* oldestFirst(
  context: BulkContext, pages: AsyncIterable<readonly string[]>,
): AsyncGenerator<readonly string[]> {
  const ids: string[] = []
  for await (const page of pages) ids.push(...page)
  ids.reverse()
  for (let start = 0; start < ids.length; start += batchSize) {
    if (start > 0) await pass(context)
    yield ids.slice(start, start + batchSize)
  }
}

/** Lets everything else in the process have its turn. */
async function pass({ soon, assertOpen }: BulkContext): Promise<void> {
  await new Promise<void>((resolve) => { soon(resolve) })
  assertOpen()
}

function count(answers: readonly RequestAnswer[], outcome: RequestAnswer['outcome']): number {
  return answers.filter((answer) => answer.outcome === outcome).length
}

export function checkBulkOptions(
  options: unknown, extra: readonly string[] = [],
): asserts options is object {
  if (typeof options !== 'object' || options === null) {
    throw invalidOption('options', 'an object', options)
  }
  checkNames(options, ['dryRun', 'onProgress', ...extra], 'options')
  const { dryRun, onProgress } = options as { dryRun?: unknown; onProgress?: unknown }
  if (dryRun !== undefined && typeof dryRun !== 'boolean') {
    throw invalidOption('options.dryRun', 'true or false', dryRun)
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw invalidOption('options.onProgress', 'a function', onProgress)
  }
}
