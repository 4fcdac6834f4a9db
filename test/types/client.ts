import { from } from 'rxjs'
import type { Observable } from 'rxjs'
import { createTroupe, task } from 'troupe'
import type { Job, State, TasksOf } from 'troupe'
import { connect } from 'troupe/client'
import type { RemoteJobHandle, RemoteTransition } from 'troupe/client'

const troupe = await createTroupe()
const images = troupe.queue('image_processing', {
  tasks: {
    resize: async (job: Job<{ file: string; width: number }>) => ({ output: job.input.file }),
    tidy: () => undefined,
    limited: task({ retries: 2, handler: (job: Job<{ n: number }>) => job.input.n }),
  },
})

const client = connect('http://localhost:7070', { headers: { authorization: 'Bearer x' } })
const queue = client.queue<TasksOf<typeof images>>('image_processing')

const resized: RemoteJobHandle<{ output: string }> =
  await queue.add('resize', { file: 'a.jpg', width: 800 })
const result: { output: string } = await resized.result({ timeout: '1m' })
const nothing: null = await (await queue.add('tidy')).result()
const number: number = await (await queue.add('limited', { n: 1 }, { priority: 1 })).result()
// @ts-expect-error the input has another shape
queue.add('resize', { file: 'a.jpg' })
// @ts-expect-error an input is needed
queue.add('resize')
// @ts-expect-error no such task
queue.add('rezise', { file: 'a.jpg', width: 1 })
// @ts-expect-error no such option
queue.add('tidy', undefined, { prio: 1 })
// @ts-expect-error a client has no transaction to give
queue.add('tidy', undefined, { transaction: {} })
// @ts-expect-error a remote handle has no actor
resized.actor

const [first, second] = await queue.addMany([
  { task: 'resize', input: { file: 'a', width: 1 } }, { task: 'limited', input: { n: 1 } },
])
const outputs: [{ output: string }, number] = [await first.result(), await second.result()]
const flow = await client.flow({
  a: queue.spec('resize', { file: 'a', width: 1 }), b: queue.spec('limited', { n: 1 }),
}, { b: ['a'] })
const last: number = await flow.b.result()
// @ts-expect-error no such key
client.flow({ a: queue.spec('tidy') }, { a: ['c'] })

const states: Observable<State> = from(resized.state$)
const transitions: Observable<RemoteTransition> = from(queue.transitions$)
for await (const { percent } of resized.progress$) console.log(percent)

// A queue of which nothing is known takes and gives anything.
const any = client.queue('other')
const unknownResult: unknown = await (await any.add('whatever', { x: 1 })).result()
any.add('whatever')
await queue.schedules.upsert('nightly', { cron: '0 3 * * *', task: 'limited', input: { n: 1 } })
// @ts-expect-error the input of the schedule has another shape
queue.schedules.upsert('nightly', { cron: '0 3 * * *', task: 'limited', input: { m: 1 } })
