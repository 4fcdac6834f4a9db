// Compiled by `tsc`, never run: what tasks in modules must and must not accept.
import { createTroupe, task } from 'troupe'
import type { InputOf, JobHandle, ResultOf, StandardSchemaV1, TasksOf } from 'troupe'

/** True when the two types are the same, as far as TypeScript can tell. */
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
declare function check<T extends true>(): T

/** A schema as zod and others make them: takes text, gives a number. */
declare const numeric: StandardSchemaV1<{ width: string }, { width: number }>

const troupe = await createTroupe()
const module = new URL('./resize.js', import.meta.url)
const images = troupe.queue('images', {
  tasks: {
    resize: task<{ file: string; width: number }, { output: string }>({
      module, retries: 3, timeout: '5m', memoryMb: 256,
    }),
    text: task<string, number>({ module: 'file:///srv/text.js' }),
    later: task<string, Promise<number>>({ module }),
    nothing: task<number, void>({ module }),
    bare: task({ module }),
    checked: task<{ width: string }, number>({ module, input: numeric }),
    inferred: task({ module, input: numeric }),
    raw: { module },
    here: () => 'a handler beside modules',
  },
})

type Images = TasksOf<typeof images>
check<Same<InputOf<Images['resize']>, { file: string; width: number }>>()
check<Same<ResultOf<Images['resize']>, { output: string }>>()
check<Same<InputOf<Images['text']>, string>>()
check<Same<ResultOf<Images['text']>, number>>()
check<Same<ResultOf<Images['later']>, number>>()
check<Same<ResultOf<Images['nothing']>, null>>()
check<Same<InputOf<Images['bare']>, undefined>>()
check<Same<ResultOf<Images['bare']>, unknown>>()
check<Same<InputOf<Images['checked']>, { width: string }>>()
check<Same<ResultOf<Images['checked']>, number>>()
check<Same<InputOf<Images['inferred']>, { width: string }>>()
check<Same<ResultOf<Images['inferred']>, unknown>>()
check<Same<InputOf<Images['raw']>, unknown>>()
check<Same<ResultOf<Images['raw']>, unknown>>()
check<Same<ResultOf<Images['here']>, string>>()

const photo = await images.add('resize', { file: 'a.jpg', width: 800 })
check<Same<typeof photo, JobHandle<{ output: string }>>>()
await images.add('bare')
await images.add('raw', { any: ['thing'] })
// @ts-expect-error -- width is missing
await images.add('resize', { file: 'a.jpg' })
// @ts-expect-error -- the task takes an input
await images.add('text')
// @ts-expect-error -- and this one takes none
await images.add('bare', { file: 'a.jpg' })
// @ts-expect-error -- the schema takes text
await images.add('checked', { width: 1 })

// @ts-expect-error -- one or the other
task({ module, handler: () => 1 })
// @ts-expect-error -- one or the other
troupe.queue('wrong', { tasks: { work: { module, handler: () => 1 } } })
// @ts-expect-error -- only a thread has a limit
task({ handler: () => 1, memoryMb: 64 })
// @ts-expect-error -- neither text nor a URL
task({ module: 1 })
// @ts-expect-error -- an unknown option
task({ module, memory: 64 })
// @ts-expect-error -- a schema for another input
task<number, number>({ module, input: numeric })
