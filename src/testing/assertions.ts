import { isDeepStrictEqual } from 'node:util'
import type { State } from '../../machines/vocabulary.ts'
import type { JobRecord, TimelineEntry } from '../records/job.ts'
import type { Transition } from '../records/transition.ts'
import { differing, failure, pick, show } from './differences.ts'

/** What a record is compared with: any of its fields, and of their properties. */
export type ExpectedJob = { readonly [K in keyof JobRecord]?: Part<JobRecord[K]> }
type Part<T> = T extends readonly unknown[] ? T
  : T extends object ? { readonly [K in keyof T]?: Part<T[K]> } : T

/**
 * Sees that a job is in this state and that its record has these fields; of objects only the
 * properties that are given are compared. Throws an `AssertionError` whose `actual` holds the same
 * fields as `expected`. A job that has failed tells its error in the message.
 */
export function assertJob(
  record: JobRecord | null | undefined, state: State, fields: ExpectedJob = {},
): asserts record is JobRecord {
  const expected = { state, ...fields }
  if (!record) throw failure('there is no such job', record, expected)
  const actual = pick(record, expected)
  if (isDeepStrictEqual(actual, plain(expected))) return
  const wrong = Object.entries(expected).filter(([key, value]) =>
    !isDeepStrictEqual(pick(record[key as keyof JobRecord], value), plain(value)))
  const lines = wrong.map(([key, value]) => {
    const is = show(pick(record[key as keyof JobRecord], value))
    return `  ${key} is ${is}, not ${show(value)}`
  })
  const cause = record.error === null || 'error' in fields
    ? '' : `\n  its error: ${record.error.name}: ${record.error.message}`
  const title = `job ${record.id} of ${record.queue}, task ${record.task}:`
  throw failure(`${title}\n${lines.join('\n')}${cause}`, actual, expected)
}

/** Without prototypes: what is compared may come out of a JSON file. */
function plain(value: unknown): unknown {
  return pick(value, value)
}

/** One step of a job: a transition, or an entry of a record's timeline. */
export type Step = Transition | TimelineEntry

/**
 * Sees that these are the steps, in this order. A step is written `'claim→running'`, event and
 * where it led to: the state, or the phase of a queued job, `'add→ready'`; `'add→queued'` stands
 * for any phase, `'remove→gone'` is a removal, and `->` will do for the arrow. For transitions of
 * several jobs the id goes in front: `'a: add→ready'`. Takes transitions, or a record, which
 * stands for its timeline (without progress). Throws an `AssertionError` that shows both lists.
 */
export function assertTransitions(
  steps: readonly Step[] | JobRecord, expected: readonly string[],
): void {
  const list = 'timeline' in steps ? steps.timeline : steps
  const wanted = expected.map((text) => text.replace(/\s*(?:→|->)\s*/, '→').trim())
  const withId = wanted.some((text) => text.includes(': '))
  const actual = list.map((step, index) =>
    nameOf(step, withId, wanted[index]?.endsWith('→queued') === true))
  if (isDeepStrictEqual(actual, wanted)) return
  const title = 'the transitions are not as expected (- expected, + there):'
  throw failure(`${title}\n${differing(actual, wanted)}`, actual, wanted)
}

const phases: readonly string[] = ['ready', 'delayed', 'blocked']

function nameOf(step: Step, withId: boolean, coarse: boolean): string {
  const phase = 'phase' in step ? step.phase : null
  const to = step.to === null ? 'gone' : phase ?? step.to
  const where = coarse && phases.includes(to) ? 'queued' : to
  const id = withId && 'jobId' in step ? `${step.jobId}: ` : ''
  return `${id}${step.event}→${where}`
}
