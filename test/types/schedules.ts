// Compiled by `tsc`, never run: what `schedules.upsert` and `preview` must and must not accept.
import { createTroupe, task, type Job, type Schedule, type TasksOf } from 'troupe'
import { z } from 'zod'

const troupe = await createTroupe()
const queue = troupe.queue('reports', {
  tasks: {
    build: async (job: Job<{ pages: number }>) => job.input.pages,
    ping: () => 'pong',
    checked: task({ input: z.object({ size: z.number() }), handler: (job) => job.input.size }),
  },
})

await queue.schedules.upsert('a', { every: '10s', task: 'build', input: { pages: 3 } })
await queue.schedules.upsert('b', { every: 250, task: 'ping' })
await queue.schedules.upsert('c', {
  cron: '0 3 * * *', timeZone: 'Europe/Berlin', task: 'checked', input: { size: 1 },
  overlap: 'skip', catchUp: 'one', startAt: 0, endAt: new Date(1), limit: 3,
  priority: 1, retries: 2, timeout: '1m', ttl: '1h', partition: 'p', label: 'l', meta: { a: 1 },
})

// @ts-expect-error -- no such task
await queue.schedules.upsert('a', { every: '10s', task: 'paint', input: { pages: 3 } })
// @ts-expect-error -- the input is missing
await queue.schedules.upsert('a', { every: '10s', task: 'build' })
// @ts-expect-error -- the input of another task
await queue.schedules.upsert('a', { every: '10s', task: 'build', input: { size: 3 } })
// @ts-expect-error -- both rules
await queue.schedules.upsert('a', { every: '10s', cron: '* * * * *', task: 'ping' })
// @ts-expect-error -- no rule
await queue.schedules.upsert('a', { task: 'ping' })
// @ts-expect-error -- an interval has no zone
await queue.schedules.upsert('a', { every: '10s', timeZone: 'UTC', task: 'ping' })
// @ts-expect-error -- the schedule decides when
await queue.schedules.upsert('a', { every: '10s', task: 'ping', delay: '1s' })
// @ts-expect-error -- the schedule decides the id
await queue.schedules.upsert('a', { every: '10s', task: 'ping', id: 'mine' })
// @ts-expect-error -- no such unit
await queue.schedules.upsert('a', { every: '10 parsecs', task: 'ping' })
// @ts-expect-error -- no such mode
await queue.schedules.upsert('a', { every: '10s', task: 'ping', overlap: 'queue' })

const producer = troupe.queue<TasksOf<typeof queue>>('reports')
await producer.schedules.upsert('a', { every: '10s', task: 'build', input: { pages: 3 } })
// @ts-expect-error -- the input of another task
await producer.schedules.upsert('a', { every: '10s', task: 'build', input: { size: 3 } })

const schedules: readonly Schedule[] = await queue.schedules.list()
const one: Schedule | null = await queue.schedules.get('a')
const times: readonly number[] = await queue.schedules.preview('a', 3)
await queue.schedules.preview({ every: '1m', startAt: 0 }, 3)
await queue.schedules.preview(schedules[0]?.rule ?? { cron: '@daily' })
// @ts-expect-error -- a rule has no task
await queue.schedules.preview({ every: '1m', task: 'ping' })
