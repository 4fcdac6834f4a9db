// Compiled by `tsc`, never run: what a flow and `dependsOn` must and must not accept.
import { createTroupe } from 'troupe'
import type { After, Flow, FlowHandles, Job, JobHandle, JobSpec, Parent } from 'troupe'

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
declare function check<T extends true>(): T

const troupe = await createTroupe()
const images = troupe.queue('images', {
  tasks: {
    resize: (_job: Job<{ file: string; width: number }>) => ({ output: 'x' }),
    optional: (_job: Job<{ all: boolean } | undefined>) => 1,
  },
})
const mails = troupe.queue('mails', {
  tasks: {
    send: async (job: Job<{ to: string }>) => job.parents.length,
    none: () => undefined,
  },
})

// A spec knows what its job will return.
const small = images.spec('resize', { file: 'a.jpg', width: 100 }, { priority: 1 })
check<Same<typeof small, JobSpec<{ output: string }>>>()
check<Same<ReturnType<typeof images.spec<'optional'>>, JobSpec<number>>>()
images.spec('optional')
images.spec('optional', { all: true })
// @ts-expect-error -- an unknown task
images.spec('rezise', { file: 'a.jpg', width: 100 })
// @ts-expect-error -- the input is missing
images.spec('resize')
// @ts-expect-error -- a property of the wrong type
images.spec('resize', { file: 'a.jpg', width: '100' })
// @ts-expect-error -- what JSON cannot carry
images.spec('resize', { file: 'a.jpg', width: 100n })
// @ts-expect-error -- an unknown option
images.spec('optional', undefined, { retires: 2 })

// A flow: a handle for each key, of its own type.
const flow = await troupe.flow({
  small,
  large: images.spec('resize', { file: 'a.jpg', width: 1000 }),
  mail: mails.spec('send', { to: 'ann' }),
  end: mails.spec('none'),
}, { mail: ['small', 'large'], end: ['mail'] })
check<Same<typeof flow.small, JobHandle<{ output: string }>>>()
check<Same<typeof flow.mail, JobHandle<number>>>()
check<Same<typeof flow.end, JobHandle<null>>>()
check<Same<keyof typeof flow, 'small' | 'large' | 'mail' | 'end'>>()
const sent = await flow.mail.result()
check<Same<typeof sent, number>>()
// @ts-expect-error -- no such key
void flow.smal
// @ts-expect-error -- nothing of it is written
flow.small = flow.large

// `after` names keys of the flow, and nobody comes after itself.
const specs = { a: mails.spec('none'), b: mails.spec('none') }
troupe.flow(specs)
troupe.flow(specs, {})
troupe.flow(specs, { b: ['a'], a: [] })
const after: After<typeof specs> = { b: ['a'] }
troupe.flow(specs, after)
check<Same<FlowHandles<typeof specs>['a'], JobHandle<null>>>()
// @ts-expect-error -- an unknown child
troupe.flow(specs, { c: ['a'] })
// @ts-expect-error -- an unknown parent
troupe.flow(specs, { b: ['c'] })
// @ts-expect-error -- a job after itself
troupe.flow(specs, { a: ['a'] })
// @ts-expect-error -- an array of keys
troupe.flow(specs, { b: 'a' })
// @ts-expect-error -- a key is text
troupe.flow(specs, { b: [0] })
// @ts-expect-error -- a spec is made by queue.spec
troupe.flow({ a: { task: 'none' } })
// @ts-expect-error -- a handle is a job that was added already
troupe.flow({ a: flow.small })
declare const built: Flow
check<Same<Awaited<ReturnType<typeof troupe.flow<typeof built>>>[string], JobHandle>>()

// Parents: ids and handles, of any result.
mails.add('none', undefined, { dependsOn: ['id', flow.small, flow.mail] })
mails.add('none', undefined, { dependsOn: [{ id: 'id' }], onParentFailure: 'wait' })
mails.addMany([{ task: 'none', dependsOn: [flow.end], onParentFailure: 'run' }])
// @ts-expect-error -- a list
mails.add('none', undefined, { dependsOn: 'id' })
// @ts-expect-error -- a spec has no id yet
mails.add('none', undefined, { dependsOn: [small] })
// @ts-expect-error -- a promise of a handle
mails.add('none', undefined, { dependsOn: [mails.add('none')] })
// @ts-expect-error -- no such policy
mails.add('none', undefined, { onParentFailure: 'ignore' })

// What a handler knows of its parents.
declare const parent: Parent
check<Same<Parent['state'], 'completed' | 'failed' | 'cancelled' | 'retried' | 'removed'>>()
check<Same<Parent['result'], unknown>>()
check<Same<Parent['key'], string | null>>()
// @ts-expect-error -- nothing of it is written
parent.state = 'completed'
