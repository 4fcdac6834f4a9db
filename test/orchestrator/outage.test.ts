import type { Job, Store } from 'troupe'
import { expect, test } from 'vitest'
import { refuse } from '../../src/testing/faulty-store.ts'
import { expectOutages } from '../support/outage-lines.ts'
import { SharedStore } from '../support/shared-store.ts'
import { recordOf, useStage } from '../support/stage.ts'

const stage = useStage()

const local: ReadonlySet<PropertyKey> = new Set(['open', 'close', 'watch', 'wake', 'name'])

/** A store whose server can go away; `calls` are those that would go there, by their names. */
function served(inner: Store) {
  const server = { away: false, calls: [] as string[] }
  const store = new Proxy(inner, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target)
      if (typeof member !== 'function' || local.has(name)) return member
      return (...args: unknown[]): unknown => {
        server.calls.push(String(name))
        if (server.away) return refuse(async () => undefined)
        return Reflect.apply(member, target, args)
      }
    },
  })
  return { store, server }
}

test('a server that is away for minutes is asked seldom, and complained of once', async () => {
  const { store, server } = served(new SharedStore(stage.env).session())
  const troupe = await stage.open({ store })
  const done: string[] = []
  const work = async (job: Job<unknown>): Promise<string> => {
    await new Promise<void>((resolve) => { stage.env.after(500, resolve) })
    done.push(job.id)
    return job.id
  }
  const queues = ['a', 'b', 'c'].map((name) =>
    troupe.queue(name, { concurrency: 2, tasks: { work } }))
  await troupe.start()
  for (const queue of queues) {
    await queue.schedules.upsert('minutely', { every: '1m', task: 'work', input: 1 })
    await queue.addMany(Array.from({ length: 6 }, (_, n) =>
      ({ task: 'work', input: n, id: `${queue.name}-${n}` }) as const))
  }
  await stage.env.advance(200)
  server.away = true
  server.calls.length = 0
  await stage.env.advance(600_000)
  // Commits, beats, and schedules of three queues.
  expect(server.calls.length / 600).toBeLessThan(1.5)
  const count = (name: string): number => server.calls.filter((each) => each === name).length
  expect(count('renew')).toBeGreaterThan(100)
  expect(count('commit')).toBeLessThan(140)
  // What had begun has ended, and nothing new has begun.
  expect(done).toHaveLength(6)
  server.away = false
  await stage.env.advance(60_000)
  for (const queue of queues) {
    for (let n = 0; n < 6; n += 1) {
      expect(await recordOf(queue, `${queue.name}-${n}`)).toMatchObject({ state: 'completed' })
    }
  }
  expect(done.length).toBe(new Set(done).size)
  const lines = stage.takeLines()
  expect(lines).toHaveLength(2)
  expectOutages(lines)
})

test('an idle process asks less than once a second', async () => {
  const { store, server } = served(new SharedStore(stage.env).session())
  const troupe = await stage.open({ store })
  for (const name of ['a', 'b', 'c']) troupe.queue(name, { tasks: { work: () => 1 } })
  await troupe.start()
  await stage.env.advance(5000)
  server.calls.length = 0
  await stage.env.advance(60_000)
  expect(server.calls.length).toBeLessThan(60)
  expect(new Set(server.calls)).toEqual(new Set(['sweep', 'renew', 'getSetting']))
})

test('what is refused for long, while all else works, is complained of once', async () => {
  const { store } = served(new SharedStore(stage.env).session())
  const broken: Store = new Proxy(store, {
    get: (target, name) => (name === 'claim'
      ? () => refuse(async () => undefined) : Reflect.get(target, name, target) as unknown),
  })
  const troupe = await stage.open({ store: broken })
  const queue = troupe.queue('q', { tasks: { work: () => 1 } })
  await troupe.start()
  await queue.add('work')
  await stage.env.advance(600_000)
  const lines = stage.takeLines()
  expect(lines.map(({ level, message }) => `${level} ${message}`))
    .toEqual(['error the store refused a claim; trying again'])
})
