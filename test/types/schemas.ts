// Compiled by `tsc`, never run: what schemas of zod, valibot and arktype make of the types.
import { type } from 'arktype'
import { createTroupe, task } from 'troupe'
import type { InputOf, Job, JobHandle, ResultOf, TasksOf } from 'troupe'
import * as v from 'valibot'
import { z } from 'zod'

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
declare function check<T extends true>(): T

const troupe = await createTroupe()

const zod = troupe.queue('zod', {
  tasks: {
    plain: task({
      input: z.object({ file: z.string(), width: z.number().optional() }),
      handler: (job) => {
        check<Same<typeof job.input, { file: string; width?: number | undefined }>>()
        return { output: job.input.file }
      },
    }),
    defaulted: task({
      input: z.object({
        width: z.number().default(100), at: z.iso.datetime().pipe(z.coerce.date()),
      }),
      retries: 2,
      handler: async (job) => {
        check<Same<typeof job.input, { width: number; at: Date }>>()
        return job.input.at.getTime()
      },
    }),
    transformed: task({
      input: z.string().transform((text) => text.length),
      handler: (job) => {
        check<Same<typeof job.input, number>>()
        return job.input
      },
    }),
    coerced: task({
      input: z.object({ n: z.coerce.number<string | number>() }),
      handler: (job) => {
        check<Same<typeof job.input, { n: number }>>()
      },
    }),
    optional: task({
      input: z.object({ all: z.boolean() }).optional(),
      handler: (job) => {
        check<Same<typeof job.input, { all: boolean } | undefined>>()
      },
    }),
    union: task({
      input: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('a'), a: z.number() }),
        z.object({ kind: z.literal('b'), b: z.string() }),
      ]),
      handler: (job) => (job.input.kind === 'a' ? job.input.a : job.input.b),
    }),
    asynchronous: task({
      input: z.string().refine(async (text) => text !== ''),
      handler: (job) => {
        check<Same<typeof job.input, string>>()
        return job.input
      },
    }),
    date: task({ input: z.object({ at: z.date() }), handler: () => 1 }),
  },
})

type Zod = TasksOf<typeof zod>
check<Same<InputOf<Zod['defaulted']>, { at: string; width?: number | undefined }>>()
check<Same<InputOf<Zod['transformed']>, string>>()
check<Same<InputOf<Zod['coerced']>, { n: string | number }>>()
check<Same<ResultOf<Zod['defaulted']>, number>>()

check<Same<Awaited<ReturnType<typeof addPlain>>, JobHandle<{ output: string }>>>()
function addPlain() {
  return zod.add('plain', { file: 'a.jpg' })
}
zod.add('defaulted', { at: '2026-01-01T00:00:00Z' })
zod.add('defaulted', { at: '2026-01-01T00:00:00Z', width: 5 })
zod.add('transformed', 'text')
zod.add('coerced', { n: '7' })
zod.add('optional')
zod.add('optional', { all: true }, { priority: 1 })
zod.add('optional', undefined, { priority: 1 })
zod.add('union', { kind: 'b', b: 'text' })
zod.add('asynchronous', 'text')
zod.addMany([{ task: 'transformed', input: 'text' }, { task: 'optional' }])
zod.spec('coerced', { n: 7 })

// @ts-expect-error -- the input is missing
zod.add('plain')
// @ts-expect-error -- a property of the wrong type
zod.add('plain', { file: 7 })
// @ts-expect-error -- a property too many
zod.add('plain', { file: 'a.jpg', height: 7 })
// @ts-expect-error -- the output side is not what is added
zod.add('transformed', 4)
// @ts-expect-error -- a Date is the output
zod.add('defaulted', { at: new Date() })
// @ts-expect-error -- JSON carries no Date
zod.add('date', { at: new Date() })
// @ts-expect-error -- null is not nothing
zod.add('optional', null)
// @ts-expect-error -- of neither kind
zod.add('union', { kind: 'a', b: 'text' })
// @ts-expect-error -- in a list, too
zod.addMany([{ task: 'transformed', input: 7 }])
// @ts-expect-error -- and in a flow
zod.spec('coerced', { n: true })

const others = troupe.queue('others', {
  tasks: {
    valibot: task({
      input: v.object({
        file: v.pipe(v.string(), v.minLength(1)),
        width: v.optional(v.number(), 100),
        when: v.pipe(v.string(), v.transform((text) => new Date(text))),
      }),
      handler: (job) => {
        check<Same<typeof job.input, { file: string; width: number; when: Date }>>()
        return job.input.width
      },
    }),
    valibotOptional: task({
      input: v.optional(v.object({ all: v.boolean() })),
      handler: (job) => {
        check<Same<typeof job.input, { all: boolean } | undefined>>()
      },
    }),
    valibotAsync: task({
      input: v.pipeAsync(v.string(), v.checkAsync(async (text) => text !== '')),
      handler: (job) => job.input.length,
    }),
    arktype: task({
      input: type({ file: 'string > 0', 'width?': 'number', count: 'string.numeric.parse' }),
      handler: (job) => {
        check<Same<typeof job.input, { file: string; width?: number; count: number }>>()
        return [job.input.count]
      },
    }),
    arktypeDefault: task({
      input: type({ width: 'number = 100' }),
      handler: (job) => {
        check<Same<typeof job.input, { width: number }>>()
        return job.input.width
      },
    }),
  },
})

type Others = TasksOf<typeof others>
check<Same<
  InputOf<Others['valibot']>, { file: string; width?: number | undefined; when: string }
>>()
check<Same<InputOf<Others['arktype']>, { file: string; width?: number; count: string }>>()
check<Same<InputOf<Others['arktypeDefault']>, { width?: number }>>()
check<Same<ResultOf<Others['arktype']>, number[]>>()

others.add('valibot', { file: 'a', when: '2026-01-01' })
others.add('valibotOptional')
others.add('valibotAsync', 'text')
others.add('arktype', { file: 'a', count: '7' })
others.add('arktypeDefault', {})
// @ts-expect-error -- the output side is not what is added
others.add('arktype', { file: 'a', count: 7 })
// @ts-expect-error -- the output side is not what is added
others.add('valibot', { file: 'a', when: new Date() })
// @ts-expect-error -- the input is missing
others.add('valibotAsync')

// A producer imports the type only, and its inputs are those of the schemas.
const producer = troupe.queue<Others>('others')
producer.add('arktype', { file: 'a', count: '7' })
// @ts-expect-error -- the output side is not what is added
producer.add('arktype', { file: 'a', count: 7 })

// @ts-expect-error -- the handler says of its input what the schema does not
task({ input: z.string(), handler: (job: Job<number>) => job.input })
