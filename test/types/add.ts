// Compiled by `tsc`, never run: what `add` and its like must and must not accept.
import { createTroupe, TroupeError, UnrecoverableError } from 'troupe'
import type {
  AddOptions, CancelAnswer, Code, Job, JobError, JobHandle, JobRecord, Progress, State, Transition,
} from 'troupe'
import type { Observable } from 'rxjs'

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
declare function check<T extends true>(): T

const troupe = await createTroupe()

interface Nested { deep?: { list?: readonly { when?: string | null }[] } | undefined }
interface Tree { name: string; children: Tree[] }
type Option = { kind: 'a'; a?: number } | { kind: 'b'; b: readonly [string, number] }

const queue = troupe.queue('q', {
  tasks: {
    resize: (_job: Job<{ file: string; width: number }>) => ({ output: 'x' }),
    optional: (_job: Job<{ all: boolean } | undefined>) => 1,
    none: () => 'nothing',
    anything: (job: Job) => job.id,
    nested: (_job: Job<Nested>) => null,
    tree: (_job: Job<Tree>) => null,
    option: (_job: Job<Option>) => null,
    record: (_job: Job<Record<string, number>>) => null,
    text: (_job: Job<'a' | 'b'>) => null,
    date: (_job: Job<{ at: Date }>) => null,
    map: (_job: Job<Map<string, number>>) => null,
    set: (_job: Job<{ tags: Set<string> }>) => null,
    big: (_job: Job<{ n: bigint }>) => null,
    fn: (_job: Job<{ done: () => void }>) => null,
    symbol: (_job: Job<symbol>) => null,
    bytes: (_job: Job<Uint8Array>) => null,
    inList: (_job: Job<{ list: { at: Date }[] }>) => null,
    later: (_job: Job<Promise<string>>) => null,
  },
})

// Inputs and results.
const photo = await queue.add('resize', { file: 'a.jpg', width: 800 })
check<Same<typeof photo, JobHandle<{ output: string }>>>()
const result = await photo.result({ timeout: '5s', signal: new AbortController().signal })
check<Same<typeof result, { output: string }>>()
check<Same<typeof photo.state$, Observable<State>>>()
check<Same<typeof photo.record$, Observable<JobRecord>>>()
check<Same<typeof photo.progress$, Observable<Progress>>>()
check<Same<typeof queue.transitions$, Observable<Transition>>>()
photo.actor.send({ type: 'cancel', reason: 'why' })
// @ts-expect-error -- only cancel
photo.actor.send({ type: 'complete' })
// @ts-expect-error -- nothing of a handle is written
photo.id = 'other'

// @ts-expect-error -- an unknown task
queue.add('rezise', { file: 'a.jpg', width: 800 })
// @ts-expect-error -- the input is missing
queue.add('resize')
// @ts-expect-error -- a property is missing
queue.add('resize', { file: 'a.jpg' })
// @ts-expect-error -- a property of the wrong type
queue.add('resize', { file: 'a.jpg', width: '800' })
// @ts-expect-error -- a property too many
queue.add('resize', { file: 'a.jpg', width: 800, height: 600 })
// @ts-expect-error -- undefined is no input here
queue.add('resize', undefined)

// An input that may be undefined may be left out.
queue.add('optional')
queue.add('optional', undefined, { priority: 1 })
queue.add('optional', { all: true })
queue.add('none')
queue.add('none', undefined, { delay: '1s' })
queue.add('anything')
queue.add('anything', { what: ['ever'] })
// @ts-expect-error -- this task takes nothing
queue.add('none', { file: 'a.jpg' })

// Interfaces, optional and nested properties, unions, tuples, recursion.
declare const nested: Nested
declare const tree: Tree
declare const option: Option
queue.add('nested', nested)
queue.add('nested', {})
queue.add('nested', { deep: { list: [{ when: null }, {}] } })
queue.add('tree', tree)
queue.add('tree', { name: 'root', children: [{ name: 'leaf', children: [] }] })
queue.add('option', option)
queue.add('option', { kind: 'b', b: ['x', 1] })
queue.add('record', { a: 1 })
queue.add('text', 'a')
// @ts-expect-error -- not deep enough
queue.add('nested', { deep: { list: [{ when: 5 }] } })
// @ts-expect-error -- of the other kind
queue.add('option', { kind: 'a', b: ['x', 1] })
// @ts-expect-error -- another text
queue.add('text', 'c')

// What JSON cannot carry.
// @ts-expect-error -- Date
queue.add('date', { at: new Date() })
// @ts-expect-error -- Map
queue.add('map', new Map([['a', 1]]))
// @ts-expect-error -- Set
queue.add('set', { tags: new Set(['a']) })
// @ts-expect-error -- bigint
queue.add('big', { n: 1n })
// @ts-expect-error -- a function
queue.add('fn', { done: () => undefined })
// @ts-expect-error -- a symbol
queue.add('symbol', Symbol('s'))
// @ts-expect-error -- bytes
queue.add('bytes', new Uint8Array(1))
// @ts-expect-error -- Date, deep in a list
queue.add('inList', { list: [{ at: new Date() }] })
// @ts-expect-error -- a promise
queue.add('later', Promise.resolve('x'))

// Options.
queue.add('none', undefined, {
  id: 'a', priority: -5, runAt: new Date(), retries: 2, timeout: '1.5h', ttl: 1000, maxStalls: 0,
  backoff: { type: 'exponential', delay: '1s', max: '5m', jitter: 0.5 }, cancelGrace: '10s',
  partition: 'tenant', meta: { any: ['thing'] }, label: 'a line',
})
// @ts-expect-error -- an unknown option
queue.add('none', undefined, { retires: 2 })
// @ts-expect-error -- no duration
queue.add('none', undefined, { delay: '10' })
// @ts-expect-error -- no unit that we know
queue.add('none', undefined, { delay: '10 minutes' })
// @ts-expect-error -- a function cannot be stored with the job
queue.add('none', undefined, { backoff: () => 5 })
// @ts-expect-error -- a number
queue.add('none', undefined, { priority: 'high' })
const options: AddOptions = { delay: 5 }
queue.add('none', undefined, options)

// addMany: a handle for each, in order, of its own type.
const [first, second, third] = await queue.addMany([
  { task: 'resize', input: { file: 'a.jpg', width: 1 }, priority: 2 },
  { task: 'none' },
  { task: 'optional', input: { all: true }, id: 'x' },
])
check<Same<typeof first, JobHandle<{ output: string }>>>()
check<Same<typeof second, JobHandle<string>>>()
check<Same<typeof third, JobHandle<number>>>()
const many = await queue.addMany([1, 2].map((width) => (
  { task: 'resize' as const, input: { file: 'a.jpg', width } }
)))
check<Same<(typeof many)[number], JobHandle<{ output: string }>>>()
// @ts-expect-error -- an unknown task
queue.addMany([{ task: 'rezise' }])
// @ts-expect-error -- the input is missing
queue.addMany([{ task: 'resize' }])
// @ts-expect-error -- the input of another task
queue.addMany([{ task: 'optional', input: { file: 'a.jpg', width: 1 } }])
// @ts-expect-error -- what JSON cannot carry
queue.addMany([{ task: 'date', input: { at: new Date() } }])

// Verbs answer with closed unions.
check<Same<Awaited<ReturnType<typeof queue.cancel>>, CancelAnswer>>()
check<Same<CancelAnswer, 'cancelled' | 'cancelling' | 'settled' | 'unknown'>>()
check<Same<Awaited<ReturnType<typeof queue.retry>>, 'retried' | 'not-failed' | 'unknown'>>()
check<Same<Awaited<ReturnType<typeof queue.remove>>, 'removed' | 'live' | 'unknown'>>()
check<Same<
  Awaited<ReturnType<typeof queue.reschedule>>, 'rescheduled' | 'not-queued' | 'unknown'
>>()
queue.reschedule('a', '10s')
queue.reschedule('a', new Date())
// @ts-expect-error -- neither time nor duration
queue.reschedule('a', 'later')
const counts = await queue.counts()
check<Same<typeof counts.running, number>>()
// @ts-expect-error -- no such state
void counts.runing
queue.list({ state: ['failed', 'cancelled'], limit: 5 })
// @ts-expect-error -- no such state
queue.list({ state: 'fialed' })
const untyped = queue.job('a')
check<Same<Awaited<ReturnType<typeof untyped.result>>, unknown>>()

// Errors are told apart by their code, and the code types the details.
export function explain(error: unknown): string | number {
  if (!(error instanceof TroupeError)) return 'not ours'
  check<Same<typeof error.code, Code>>()
  switch (error.code) {
    case 'job-failed': {
      check<Same<typeof error.details.error, JobError | null>>()
      return error.details.error?.message ?? error.details.reason ?? ''
    }
    case 'timeout': return error.details.timeoutMs
    case 'invalid-option': return error.details.path
    case 'cursor-too-old': return error.details.oldest
    // @ts-expect-error -- no such code
    case 'timed-out': return 0
    default:
      // @ts-expect-error -- these details were not told apart
      return String(error.details.path)
  }
}
const unrecoverable: Error = new UnrecoverableError('no', { cause: new Error('why') })
// @ts-expect-error -- an error of ours says what it is about
new TroupeError('timeout', 'too late', { id: 'a' })
// @ts-expect-error -- no such code
new TroupeError('too-late', 'too late', {})
export { unrecoverable }
