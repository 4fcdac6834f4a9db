import { expect, test, vi } from 'vitest'
import { silence } from '../../src/testing/model/run-model.ts'
import { runs } from '../../src/testing/runs.ts'
import { Coverage } from './coverage.ts'
import { drawPlan } from './draw.ts'
import { explainFailure } from './report.ts'
import { simulate } from './simulation.ts'

// Many clusters in one test, and a failure is shrunk before it is told.
vi.setConfig({ testTimeout: 180_000 })

const silent = silence()
const coverage = new Coverage()
const batch = 25
/** Who takes a protection out knows what is wrong: no story is needed. */
const budget = process.env['TROUPE_MUTATION'] ? 0 : 400
const { numRuns } = runs(600)
const batches = Array.from({ length: Math.ceil(numRuns / batch) }, (_, index) => 1 + index * batch)

test.each(batches)('simulations from seed %i on keep every promise', async (first) => {
  for (let seed = first; seed < first + batch; seed += 1) {
    const outcome = await simulate(drawPlan(seed))
    coverage.add(outcome.coverage)
    if (outcome.failures.length > 0) throw new Error(await explainFailure(outcome, budget))
  }
  silent.check()
})

test('these simulations go along every edge of both charts', () => {
  expect(coverage.unknown).toEqual([])
  expect(coverage.missing).toEqual([])
})

test('and meet every kind of fault', () => {
  expect([...coverage.faults.keys()].sort()).toEqual([
    'call answer lost', 'call late', 'call refused', 'call repeated', 'clock jump', 'crash',
    'cut, refusing', 'cut, silent', 'disk error', 'freeze', 'freeze past the lease', 'lying sync',
    'power cut', 'stop',
  ])
})

test('and do everything that users can', () => {
  expect([...coverage.commands.keys()].sort()).toEqual([
    'add', 'cancel', 'cancel many', 'clean', 'drain', 'fill', 'flow', 'obliterate', 'pause',
    'pause schedule', 'remove', 'reschedule', 'resume', 'resume schedule', 'retry', 'retry many',
    'schedule', 'trigger', 'unschedule', 'wait for',
  ])
})

test.each([['memory', 11], ['lowdb', 12]] as const)(
  'one seed is one run, on %s', async (store, seed) => {
    const plan = drawPlan(seed, store)
    const first = await simulate(plan)
    const again = await simulate(drawPlan(seed, store))
    expect(first.log.length).toBeGreaterThan(10)
    expect(again.hash).toBe(first.hash)
    expect(again.log).toEqual(first.log)
    expect((await simulate(drawPlan(seed + 1, store))).hash).not.toBe(first.hash)
  },
)
