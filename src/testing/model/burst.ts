import * as fc from 'fast-check'
import { systemEnv } from '../../env.ts'
import { TroupeError } from '../../index.ts'
import { expect } from 'vitest'
import { adding, addTo, ending, number, show, Step } from './steps.ts'
import type { Model } from './steps.ts'
import type { World } from './world.ts'

/** What may happen in one moment, without waiting for anything. */
const act = fc.oneof(
  fc.record({ type: fc.constant('add' as const), n: number, job: adding }),
  fc.record({
    type: fc.constantFrom('cancel', 'retry', 'remove', 'pause', 'resume'), n: number, which: number,
  }),
  fc.record({ type: fc.constant('finish' as const), which: number, how: ending }),
)
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never

function begin(each: Act, model: Model, world: World): Promise<unknown> {
  if ('how' in each) {
    const waiting = world.journal.waiting()
    waiting[each.which % Math.max(1, waiting.length)]?.finish(each.how)
    return Promise.resolve()
  }
  const worker = world.worker(each.n)
  if ('job' in each) return addTo(world, worker, each.job)
  const { queue } = worker
  const target = model.pick(each.which)
  switch (each.type) {
    case 'cancel': return queue.cancel(target)
    case 'retry': return queue.retry(target)
    case 'remove': return queue.remove(target)
    case 'pause': return queue.pause()
    default:
      for (const one of world.workers) world.reopen(one, one.drained === false ? false : null)
      return queue.resume()
  }
}

/** Several things at once, and perhaps the end of the process in the midst of them. */
export const burst = fc.tuple(
  fc.array(act, { minLength: 1, maxLength: 6 }),
  fc.constantFrom('nothing', 'nothing', 'stop', 'crash', 'crash after a turn', 'crash in a write'),
  number,
).map(([acts, then, n]) => new Step(`at once ${show(acts)}, then ${then}`, async (model, world) => {
  if (then === 'crash in a write') world.place.cutAt(1 + (n % 8))
  const begun = acts.map((each) => begin(each, model, world))
  const refused: unknown[] = []
  for (const work of begun) {
    work.catch((error: unknown) => {
      if (!(error instanceof TroupeError && error.code === 'stopped')) refused.push(error)
    })
  }
  if (then === 'crash in a write') await world.place.clock.settle()
  if (then === 'crash after a turn') {
    await new Promise<void>((resolve) => { systemEnv.soon(resolve) })
  }
  if (then === 'stop') await world.stop(world.worker(n))
  else if (then !== 'nothing') await world.crash(world.worker(n))
  await world.settle()
  expect(refused).toEqual([])
}))
