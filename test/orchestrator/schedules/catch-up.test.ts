import type { Queue, Schedule, Tasks, Troupe } from 'troupe'
import { describe, expect, it } from 'vitest'
import { useStage } from '../../support/stage.ts'

const stage = useStage()
const start = Date.UTC(2026, 0, 1)
const tasks = { ping: () => 'pong' }

async function open(): Promise<{ troupe: Troupe; queue: Queue<typeof tasks> }> {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks })
  await troupe.start()
  return { troupe, queue }
}

async function scheduleOf<T extends Tasks>(queue: Queue<T>, key = 'a'): Promise<Schedule> {
  const schedule = await queue.schedules.get(key)
  if (!schedule) throw new Error(`there is no schedule ${key}`)
  return schedule
}

/** The occurrences that added jobs, in seconds after the beginning, in the order of the adds. */
async function firedOf<T extends Tasks>(queue: Queue<T>): Promise<number[]> {
  const { jobs } = await queue.list({ limit: 1000 })
  return jobs.map(({ id }) => (Date.parse(id.split('@')[1] ?? '') - start) / 1000)
}

function seconds(from: number, to: number, step: number): number[] {
  const found: number[] = []
  for (let value = from; value <= to; value += step) found.push(value)
  return found
}

/** Somebody fires for 15 s, then nobody for so long, and then somebody again. */
async function absence(
  spec: object, awayMs: number, rule: object = { every: '10s' },
): Promise<Queue<typeof tasks>> {
  const first = await open()
  await first.queue.schedules.upsert('a', { ...rule, task: 'ping', ...spec } as never)
  await stage.env.advance(15_000)
  await stage.drive(first.troupe.stop())
  await stage.env.advance(start + 15_000 + awayMs - stage.env.now())
  const { queue } = await open()
  await stage.env.settle()
  return queue
}

describe('catchUp, after an hour without anybody', () => {
  const hour = 3_600_000

  it('none: the newest occurrence if it is hardly late', async () => {
    const queue = await absence({ catchUp: 'none' }, hour)
    expect(await firedOf(queue)).toEqual([10, 3610])
    expect(await scheduleOf(queue)).toMatchObject({ fired: 2, missed: 359, skipped: 0 })
  })

  it('none: nothing if it is later than a minute', async () => {
    const queue = await absence({}, hour, { every: '700s', startAt: start + 10_000 })
    expect(await firedOf(queue)).toEqual([10])
    expect(await scheduleOf(queue)).toMatchObject({ fired: 1, missed: 5, nextAt: start + 4210_000 })
  })

  it.each([[60_000, 1], [60_001, 0]])('none: %d ms late', async (late, fired) => {
    const queue = await absence({}, hour, { every: '10h', startAt: start + 15_000 + hour - late })
    expect(await scheduleOf(queue)).toMatchObject({ fired, missed: 1 - fired })
  })

  it('one: only the newest', async () => {
    const rule = { every: '700s', startAt: start + 10_000 }
    const queue = await absence({ catchUp: 'one' }, hour, rule)
    expect(await firedOf(queue)).toEqual([10, 3510])
    expect(await scheduleOf(queue)).toMatchObject({ fired: 2, missed: 4 })
  })

  it('one: of a cron, and as many as it can count', async () => {
    const queue = await absence({ catchUp: 'one' }, 4 * hour, { cron: '* * * * * *' })
    const { fired, missed, lastAt } = await scheduleOf(queue)
    expect([fired, missed, lastAt]).toEqual([17, 9999, start + 4 * hour + 15_000])
  })

  it('all: each, in order', async () => {
    const queue = await absence({ catchUp: 'all' }, hour)
    expect(await firedOf(queue)).toEqual(seconds(10, 3610, 10))
    expect(await scheduleOf(queue)).toMatchObject({ fired: 361, missed: 0 })
  })

  it('all: up to the limit', async () => {
    const queue = await absence({ catchUp: 'all', limit: 150 }, hour)
    expect(await firedOf(queue)).toEqual(seconds(10, 1500, 10))
    expect(await scheduleOf(queue)).toMatchObject({ fired: 150, nextAt: null })
  })

  it('all and skip: one is added, the others meet it', async () => {
    const queue = await absence({ catchUp: 'all', overlap: 'skip' }, hour)
    const { fired, skipped } = await scheduleOf(queue)
    expect(fired + skipped).toBe(361)
    expect(await firedOf(queue)).toHaveLength(fired)
  })
})
