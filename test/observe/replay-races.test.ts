import fc from 'fast-check'
import type { Transition, Troupe } from 'troupe'
import { expect, test } from 'vitest'
import { Stage } from '../support/stage.ts'

const seqs = (heard: readonly Transition[]): number[] => heard.map(({ seq }) => seq)
const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, n) => n + first)

/** What `observe` tells. */
function listen(troupe: Troupe, options?: Parameters<Troupe['observe']>[0]) {
  const heard: Transition[] = []
  troupe.observe(options).subscribe((transition) => heard.push(transition))
  return heard
}

test('whenever one subscribes, whatever happens: no gap and no duplicate', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant('add' as const), queue: fc.nat(2) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant('observe' as const), from: fc.constantFrom('start', 'now', 'cursor'),
        queue: fc.option(fc.nat(2)), pick: fc.nat(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('tick' as const) }) },
  )
  const script = fc.array(step, { minLength: 5, maxLength: 40 })
  await fc.assert(fc.asyncProperty(script, async (steps) => {
    const own = new Stage()
    const troupe = await own.open()
    const names = ['a', 'b', 'c']
    const queues = names.map((name) => troupe.queue<{ work: () => void }>(name))
    const everything: Transition[] = []
    troupe.observe({ from: 'start' }).subscribe((transition) => everything.push(transition))
    await own.env.settle()
    const checks: (() => void)[] = []
    const pending: Promise<unknown>[] = []
    const stuck = Promise.reject(new Error('no such queue'))
    stuck.catch(() => undefined)
    for (const action of steps) {
      if (action.do === 'add') pending.push(queues[action.queue]?.add('work') ?? stuck)
      else if (action.do === 'settle') await own.env.settle()
      else if (action.do === 'tick') await Promise.resolve()
      else {
        const known = everything.length
        const origin = everything[action.pick % (known || 1)]
        const from = action.from === 'cursor' ? origin?.cursor ?? 'start' : action.from
        const queue = action.queue === null ? null : names[action.queue] ?? null
        const before = new Map(names.map((name) => [name, from === 'now'
          ? everything.filter((one) => one.queue === name).length
          : 0]))
        if (from === origin?.cursor) {
          for (const { queue: name, seq } of everything.slice(0, everything.indexOf(origin) + 1)) {
            before.set(name, seq)
          }
        }
        const heard = listen(troupe, { from, ...(queue === null ? {} : { queue }) })
        checks.push(() => {
          for (const name of names.filter((one) => queue === null || one === queue)) {
            const last = everything.filter((one) => one.queue === name).length
            const first = (before.get(name) ?? 0) + 1
            expect(seqs(heard.filter((one) => one.queue === name))).toEqual(upTo(last, first))
          }
          expect(heard.every((one) => queue === null || one.queue === queue)).toBe(true)
        })
      }
    }
    await Promise.all(pending)
    await own.env.settle()
    for (const check of checks) check()
    await own.close()
  }), { numRuns: 150 })
})
