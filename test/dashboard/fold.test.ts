import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jobChart } from '../../src/dashboard/chart/geometry.ts'
import { leaves } from '../../src/gateway/fleet-protocol.ts'
import type { WireExportLine } from '../../src/gateway/fleet-protocol.ts'
import { Ages } from '../../src/gateway/fleet/ages.ts'
import { Fold, moveOf, placeOf, toldPhase } from '../../src/gateway/fleet/fold.ts'
import type { Folded } from '../../src/gateway/fleet/fold.ts'
import { readExport, Recording } from '../../src/gateway/fleet/recording.ts'
import { VirtualEnv } from '../../src/testing/virtual-env.ts'
import { createTroupe, memoryStore } from 'troupe'
import type { Job, Transition } from 'troupe'

const { edges } = jobChart

/** What somebody does to one of eight jobs. */
type Deed = readonly [
  'add' | 'delay' | 'block' | 'cancel' | 'retry' | 'remove' | 'reschedule' | 'wait', number,
]
const deeds = fc.array(fc.tuple(
  fc.constantFrom<Deed[0]>(
    'add', 'delay', 'block', 'cancel', 'retry', 'remove', 'reschedule', 'wait',
  ), fc.nat(7),
), { minLength: 1, maxLength: 30 })

/** A log of all transitions, and the counts of the store after some of them. */
async function live(script: readonly Deed[]): Promise<{
  readonly log: readonly Transition[]
  readonly counted: readonly { readonly length: number; readonly counts: readonly number[] }[]
}> {
  const env = new VirtualEnv()
  const troupe = await createTroupe({ store: memoryStore(), env, worker: 'w' })
  const queue = troupe.queue('q', {
    concurrency: 2,
    tasks: { odd: (job: Job<null>) => { if (job.id.endsWith('1')) throw new Error('odd') } },
  })
  const log: Transition[] = []
  troupe.observe({ from: 'start' }).subscribe((transition) => { log.push(transition) })
  await troupe.start()
  const counted: { readonly length: number; readonly counts: readonly number[] }[] = []
  for (const [deed, number] of script) {
    const id = `j${number}`
    if (deed === 'add') await queue.add('odd', null, { id })
    else if (deed === 'delay') await queue.add('odd', null, { id, delay: '1m' })
    else if (deed === 'block') {
      const parent = `j${(number + 1) % 8}`
      if (await queue.get(parent)) await queue.add('odd', null, { id, dependsOn: [parent] })
    } else if (deed === 'reschedule') await queue.reschedule(id, '2m')
    else if (deed === 'wait') await env.advance(number * 15_000)
    else await queue[deed](id)
    await env.settle()
    const counts = await queue.counts()
    counted.push({ length: log.length, counts: leaves.map((leaf) => counts[leaf]) })
  }
  const stopped = troupe.stop({ grace: 0 })
  await env.settle()
  await stopped
  return { log, counted }
}

function foldAll(log: readonly Folded[]): Fold {
  const fold = new Fold(edges)
  for (const entry of log) fold.apply(entry)
  return fold
}

describe('a fold', () => {
  test('of any beginning of a log is what the store counted then', async () => {
    await fc.assert(fc.asyncProperty(deeds, async (script) => {
      const { log, counted } = await live(script)
      for (const { length, counts } of counted) {
        expect(foldAll(log.slice(0, length)).counts).toEqual(counts)
      }
    }), { numRuns: 60 })
  })

  test('goes on from a keyframe as if it had folded all', async () => {
    await fc.assert(fc.asyncProperty(deeds, fc.nat(100), async (script, percent) => {
      const { log } = await live(script)
      const cut = Math.floor(log.length * percent / 100)
      const whole = foldAll(log)
      const keyframe = foldAll(log.slice(0, cut)).keyframe()
      const rest = new Fold(edges, JSON.parse(JSON.stringify(keyframe)) as typeof keyframe)
      for (const entry of log.slice(cut)) rest.apply(entry)
      expect(rest.counts).toEqual(whole.counts)
      expect(rest.edges).toEqual(whole.edges)
    }), { numRuns: 40 })
  })

  test('knows the edge of every transition but a removal', async () => {
    await fc.assert(fc.asyncProperty(deeds, async (script) => {
      const { log } = await live(script)
      for (const entry of log) {
        const { edge } = new Fold(edges).apply(entry)
        expect(edge >= 0, moveOf(entry)).toBe(entry.event !== 'remove')
      }
    }), { numRuns: 40 })
  })
})

describe('a recording', () => {
  test('shows at each moment what the store counted, and finds its way by steps', async () => {
    await fc.assert(fc.asyncProperty(deeds, fc.nat(100), async (script, percent) => {
      const { log, counted } = await live(script)
      const fold = new Fold(edges)
      const told = log.map((entry) => {
        const left = toldPhase(entry, fold.apply(entry))
        return left === undefined ? entry : { ...entry, left }
      })
      const cut = Math.floor(log.length * percent / 100)
      const head = JSON.stringify({
        export: 'troupe-fleet', version: 1, from: 0, to: 9e15,
        counts: foldAll(log.slice(0, cut)).counts,
      })
      const lines = [head, ...told.slice(cut).map((entry) => JSON.stringify(entry)), '']
      const { recording, fault } = readExport(lines, edges)
      expect(fault).toBeNull()
      expect(recording.length).toBe(log.length - cut)
      for (const [place, { length, counts }] of counted.entries()) {
        const last = log[length - 1]
        // Several deeds may fall on one moment: the last of them is what it showed.
        const isLast = log[length] === undefined || log[length].at > (last?.at ?? 0)
        if (length <= cut || !last || !isLast || counted[place + 1]?.length === length) continue
        expect(recording.moment(last.at).counts).toEqual(counts)
      }
      let steps = 0
      for (let at = recording.begin; at !== null; at = recording.moment(at).next) steps += 1
      expect(steps).toBe(new Set(log.slice(cut).map(({ at }) => at)).size)
    }), { numRuns: 40 })
  })

  const line = (more: Partial<WireExportLine>): WireExportLine => ({
    seq: 1, at: 1000, queue: 'q', jobId: 'j', rev: 1, task: 't', event: 'add', from: null,
    to: 'queued', phase: 'ready', attempt: 0, fence: 0, by: 'api', reason: null, progress: null,
    error: null, ...more,
  })

  test('without counts takes the fewest jobs that explain what happens', () => {
    const recording = new Recording(edges)
    recording.add(line({ event: 'complete', from: 'running', to: 'completed', phase: null }))
    expect(recording.moment(999).counts[placeOf('running', null)]).toBe(1)
    expect(recording.moment(1000).counts[placeOf('running', null)]).toBe(0)
    expect(recording.moment(1000).counts[placeOf('completed', null)]).toBe(1)
  })

  test('of 200,000 lines is read, and no more; what is no line ends it', () => {
    const text = JSON.stringify(line({}))
    function* lines(count: number): Generator<string> {
      for (let n = 0; n < count; n += 1) yield text
    }
    const { recording, fault } = readExport(lines(200_001), edges)
    expect(recording.length).toBe(200_000)
    expect(fault).toEqual({ line: 200_001, why: 'too-many-lines' })
    expect(recording.moment(1000).counts[0]).toBe(200_000)
    expect(readExport([text, '{'], edges).fault).toEqual({ line: 2, why: 'no-json' })
    const hostile = [
      '{"at":"<script>"}', '{"at":1,"jobId":"j","event":"add","from":null,"to":7}', '[]', '3',
    ]
    for (const each of hostile) {
      expect(readExport([each], edges).fault).toEqual({ line: 1, why: 'no-transition' })
    }
    const odd = JSON.stringify(line({ to: '__proto__' as 'queued', event: 'constructor' as 'add' }))
    expect(readExport([odd], edges).recording.moment(1000).counts).toEqual(leaves.map(() => 0))
  })

  test('sums completions and failures over time', () => {
    const recording = new Recording(edges)
    for (const [at, to] of [[0, 'completed'], [10, 'failed'], [19, 'completed']] as const) {
      recording.add(line({ at, event: 'complete', from: 'running', to, phase: null }))
    }
    expect(recording.series(0, 20, 2)).toEqual({
      from: 0, to: 20, stepMs: 10, completed: [1, 1], failed: [0, 1], keptFrom: 0,
    })
  })
})

describe('ages', () => {
  test('are those of the jobs that are there', () => {
    const ages = new Ages()
    for (let n = 1; n <= 100; n += 1) ages.move(`j${n}`, -1, 0, n)
    expect(ages.at(101)[0]).toEqual([50, 95])
    for (let n = 1; n <= 50; n += 1) ages.move(`j${n}`, 0, 3, 101)
    expect(ages.at(101).slice(0, 4)).toEqual([[25, 48], null, null, [0, 0]])
  })

  test('of many jobs come from a bounded sample, and are right to a few percent', () => {
    const ages = new Ages()
    for (let n = 1; n <= 100_000; n += 1) ages.move(`job-${n}`, -1, 0, n)
    const [p50 = 0, p95 = 0] = ages.at(100_000)[0] ?? []
    expect(Math.abs(p50 - 50_000)).toBeLessThan(5000)
    expect(Math.abs(p95 - 95_000)).toBeLessThan(3000)
    for (let n = 1; n <= 99_999; n += 1) ages.move(`job-${n}`, 0, 3, 100_000)
    expect(ages.at(100_000)[0]?.[1] ?? 0).toBe(0)
  })

  test('forget the oldest when retention has removed them', () => {
    const ages = new Ages()
    for (let n = 1; n <= 100; n += 1) ages.move(`j${n}`, -1, 5, n)
    ages.limit([0, 0, 0, 0, 0, 10, 0, 0])
    expect(ages.at(100)[5]).toEqual([4, 9])
  })
})
