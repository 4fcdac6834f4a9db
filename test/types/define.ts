// Compiled by `tsc`, never run: what declarations of queues and tasks must and must not accept.
import { createTroupe, task } from 'troupe'
import type { InputOf, Job, JobHandle, Queue, ResultOf, StandardSchemaV1, TasksOf } from 'troupe'

/** True when the two types are the same, as far as TypeScript can tell. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
declare function check<T extends true>(): T

const troupe = await createTroupe()

interface Photo { file: string; width?: number; crop?: { x: number; y: number } | undefined }

/** A schema as zod and others make them: takes text, gives a number. */
declare const numeric: StandardSchemaV1<{ width: string }, { width: number }>

const images = troupe.queue('images', {
  concurrency: 4,
  tasks: {
    resize: async (job: Job<{ file: string; width: number }>) => {
      check<Same<typeof job.input, { file: string; width: number }>>()
      return { output: `${job.input.file}@${job.input.width}` }
    },
    sync: (job: Job<string>) => job.input.length,
    nothing: () => undefined,
    empty: async () => undefined,
    voids: async (_job: Job<number>): Promise<void> => undefined,
    maybe: (job: Job<{ all: boolean } | undefined>) => job.input?.all ?? null,
    photo: (_job: Job<Photo>) => 'an interface',
    checked: task({
      input: numeric,
      retries: 3,
      backoff: (failures, error) => failures * error.message.length,
      handler: async (job) => {
        check<Same<typeof job.input, { width: number }>>()
        return job.input.width * 2
      },
    }),
    tuned: task({
      timeout: '5m', cancelGrace: 500,
      handler: async (job: Job<{ n: bigint extends never ? never : number }>) => job.input.n,
    }),
    bare: task({ handler: () => 'no input' }),
    never: (): never => { throw new Error('always') },
    either: (_job: Job<{ kind: 'a' } | { kind: 'b'; size: number }>) => [1, 2] as const,
  },
})

type Images = TasksOf<typeof images>
check<Same<InputOf<Images['resize']>, { file: string; width: number }>>()
check<Same<ResultOf<Images['resize']>, { output: string }>>()
check<Same<ResultOf<Images['sync']>, number>>()
check<Same<ResultOf<Images['nothing']>, null>>()
check<Same<ResultOf<Images['empty']>, null>>()
check<Same<ResultOf<Images['voids']>, null>>()
check<Same<ResultOf<Images['maybe']>, boolean | null>>()
check<Same<InputOf<Images['checked']>, { width: string }>>()
check<Same<ResultOf<Images['checked']>, number>>()
check<Same<InputOf<Images['tuned']>, { n: number }>>()
check<Same<InputOf<Images['bare']>, undefined>>()
check<Same<ResultOf<Images['bare']>, string>>()
check<Same<ResultOf<Images['never']>, never>>()
check<Same<ResultOf<Images['either']>, readonly [1, 2]>>()

// A job of more is a job of less, and not the other way round.
declare const wide: Job<{ a: number; b: string }>
const narrow: Job<{ a: number }> = wide
const anyJob: Job = wide
// @ts-expect-error -- b is missing
const tooWide: Job<{ a: number; b: string }> = narrow
export const jobs = [anyJob, tooWide]

// A handler for more general inputs serves as well.
const general = (job: Job<{ file: string }>): string => job.input.file
troupe.queue('general', { tasks: { general } })

// The handler's job: what it has, and how.
troupe.queue('job', {
  tasks: {
    work: (job: Job<{ n: number }>) => {
      job.input.n += 1
      job.progress(50)
      job.progress({ current: 1, total: 2, message: 'half' })
      // @ts-expect-error -- current is missing
      job.progress({ total: 2 })
      // @ts-expect-error -- percent is derived
      job.progress({ current: 1, percent: 50 })
      // @ts-expect-error -- the input is the handler's own, the rest is not
      job.attempt = 7
      // @ts-expect-error -- no duration
      if (job.attempt > 1) job.snooze('soon')
      const wait = (): never => job.snooze('10s')
      const reason: unknown = job.signal.reason
      return { reason: String(reason), wait: typeof wait }
    },
  },
})

// An unannotated handler that takes a job says nothing of its input.
// @ts-expect-error -- `job` needs a type
troupe.queue('wrong', { tasks: { work: async (job) => job.input } })
// @ts-expect-error -- also in task(), whose input is then nothing
task({ handler: async (job) => String(job.input.file) })
troupe.queue('wrong', {
  tasks: {
    // @ts-expect-error -- a raw literal does not infer: use task()
    work: { input: numeric, handler: async (job) => job.input.width as number },
  },
})

// Wrong declarations.
// @ts-expect-error -- tasks are functions or task()
troupe.queue('wrong', { tasks: { work: 1 } })
// @ts-expect-error -- an unknown option
troupe.queue('wrong', { tasks: { work: () => 1 }, concurency: 3 })
// @ts-expect-error -- an unknown option of a task
task({ handler: () => 1, retires: 3 })
// @ts-expect-error -- a task needs a handler
task({ retries: 3 })
// @ts-expect-error -- no schema
task({ input: { parse: (value: unknown) => value }, handler: () => 1 })
// @ts-expect-error -- no duration
task({ handler: () => 1, timeout: '5 minutes' })
// @ts-expect-error -- no backoff
task({ handler: () => 1, backoff: { type: 'linear' } })
// @ts-expect-error -- the handler wants what the schema does not give
task({ input: numeric, handler: (job: Job<{ height: number }>) => job.input.height })
// @ts-expect-error -- add options are not defaults
troupe.queue('wrong', { tasks: { work: () => 1 }, defaults: { delay: 5 } })
// @ts-expect-error -- retention in numbers
troupe.queue('wrong', { retention: { completed: 'all' } })

// A producer knows the types and nothing else.
const producer = troupe.queue<Images>('images')
const handle: Promise<JobHandle<{ output: string }>> = producer.add('resize', {
  file: 'a.jpg', width: 8,
})
// @ts-expect-error -- with the types of another queue's tasks no tasks may be given
troupe.queue<Images>('images', { tasks: 5 })
// @ts-expect-error -- a queue that says nothing of its tasks has none to add to
troupe.queue('silent').add('work')
declare function takes(queue: Queue<Images>): void
takes(images)
takes(producer)
export { handle }
