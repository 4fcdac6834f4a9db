import fc from 'fast-check'
import { createTroupe, memoryStore } from 'troupe'
import { expect, it } from 'vitest'
import { Scheduler } from '../../../src/orchestrator/schedules/scheduler.ts'
import type { StoreEvent } from '../../../src/stores/store.ts'
import { cronArbitrary, occurrencesOf, yearEnd, yearStart } from '../../support/cron-reference.ts'
import type { RandomCron } from '../../support/cron-reference.ts'
import { runs } from '../../../src/testing/runs.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'

/**
 * Several schedulers on one store for a year of virtual time, without the rest of a troupe, whose
 * beats would be three million turns of the clock. Answers which occurrence was added when.
 */
async function fireForAYear(crons: readonly RandomCron[]): Promise<Map<string, number[]>> {
  const env = new VirtualEnv()
  const store = memoryStore()
  const troupe = await createTroupe({ store, env })
  const queue = troupe.queue('q', { tasks: { tick: () => null } })
  for (const [index, { text, zone }] of crons.entries()) {
    await queue.schedules.upsert(`s${index}`, { cron: text, timeZone: zone, task: 'tick' })
  }
  const report = (message: string): never => { throw new Error(message) }
  const outage = {
    refused: (_kind: string, message: string) => report(message), answered: () => undefined,
  }
  const schedulers = [1, 2, 3].map(() =>
    new Scheduler({ env, store, now: env.now, report, outage }))
  const fired = new Map(crons.map((_, index) => [`s${index}`, [] as number[]]))
  const unwatch = store.watch((event: StoreEvent) => {
    for (const scheduler of schedulers) scheduler.receive(event)
    for (const { entry } of event.type === 'changes' ? event.changes : []) {
      const [key = '', time = ''] = entry.jobId.slice('q/'.length).split('@')
      expect(entry.at).toBe(Date.parse(time))
      fired.get(key)?.push(entry.at)
    }
  })
  for (const scheduler of schedulers) {
    scheduler.add('q')
    scheduler.start()
  }
  await env.advance(yearEnd - 1 - yearStart)
  await Promise.all(schedulers.map((scheduler) => scheduler.stop()))
  unwatch()
  await troupe.stop()
  expect(env.pendingTimers).toBe(0)
  return fired
}

it('fires random schedules for a year at exactly the expected instants, once each', async () => {
  const some = fc.array(
    cronArbitrary(false).filter((cron) => occurrencesOf(cron).length < 800),
    { minLength: 2, maxLength: 4 },
  )
  await fc.assert(fc.asyncProperty(some, async (crons) => {
    const fired = await fireForAYear(crons)
    for (const [index, cron] of crons.entries()) {
      expect(fired.get(`s${index}`), `${cron.text} in ${cron.zone}`).toEqual(occurrencesOf(cron))
    }
  }), runs(3))
}, 600_000)
