import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { phases, states } from '../../../machines/vocabulary.ts'
import type { ListQuery, Page } from '../../stores/reading.ts'
import { listQuery } from '../records.ts'
import { runs } from '../runs.ts'
import { ids, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { placements, places } from './placements.ts'

export function readContract(open: OpenBench): void {
  get(open)
  list(open)
  cursors(open)
  counts(open)
}

function page(bench: Bench, patch: Partial<ListQuery> = {}): Promise<Page> {
  return bench.store.list(listQuery({ limit: 1000, ...patch }))
}

/** One job in every leaf, named after it, and one of another task. */
async function everywhere(bench: Bench): Promise<void> {
  const last = ['delayed', 'ready'] as const
  const first = places.filter((name) => name !== 'delayed' && name !== 'ready')
  for (const leaf of [...first, ...last]) {
    await placements[leaf](bench, { id: leaf })
  }
  await bench.add({ id: 'crop', task: 'crop' })
}

function get(open: OpenBench): void {
  it('get answers in the order of the ids, undefined for what is unknown', async () => {
    const bench = await open()
    const [a, b] = await bench.addMany([{ id: 'a' }, { id: 'b', queue: 'mail' }])
    expect(await bench.store.get(['b', 'nobody', 'a', 'b'])).toEqual([b, undefined, a, b])
    expect(await bench.store.get([])).toEqual([])
  })

  it('get gives a record that later changes leave alone', async () => {
    const bench = await open()
    const added = await bench.add()
    const copy = structuredClone(added)
    await bench.complete(must((await bench.claim())[0]))
    expect(added).toEqual(copy)
  })
}

function list(open: OpenBench): void {
  it('list filters by states, phase and task', async () => {
    const bench = await open()
    await everywhere(bench)
    const found = async (patch: Partial<ListQuery>): Promise<string[]> =>
      ids((await page(bench, patch)).records)
    expect(await found({ states: ['running'] })).toEqual(['running'])
    expect(await found({ states: ['failed', 'completed'] })).toEqual(['completed', 'failed'])
    expect(await found({ states: ['queued'] })).toEqual(['delayed', 'ready', 'crop'])
    expect(await found({ states: [] })).toEqual([])
    expect(await found({ phase: 'delayed' })).toEqual(['delayed'])
    expect(await found({ phase: 'ready' })).toEqual(['ready', 'crop'])
    expect(await found({ phase: 'ready', task: 'crop' })).toEqual(['crop'])
    expect(await found({ states: ['running'], phase: 'ready' })).toEqual([])
    expect(await found({ task: 'nothing' })).toEqual([])
    expect(await found({ queue: 'nowhere' })).toEqual([])
  })

  it('list ends with a null cursor on its last page, also when that is full', async () => {
    const bench = await open()
    await bench.addMany(['a', 'b', 'c', 'd'].map((id) => ({ id })))
    const first = await page(bench, { limit: 2 })
    expect(ids(first.records)).toEqual(['a', 'b'])
    const second = await page(bench, { limit: 2, cursor: first.cursor })
    expect([ids(second.records), second.cursor]).toEqual([['c', 'd'], null])
    expect((await page(bench, { limit: 4 })).cursor).toBeNull()
  })

  it('list refuses a cursor that no page carried', async () => {
    const bench = await open()
    await bench.add()
    await expect(page(bench, { cursor: 'somewhere' }))
      .rejects.toMatchObject({ code: 'invalid-cursor' })
  })

  it('list leaves no page half empty because of what the filter leaves out', async () => {
    const bench = await open()
    await bench.addMany([1, 2, 3, 4, 5, 6].map((n) =>
      ({ id: String(n), task: n % 3 === 0 ? 'crop' : 'resize' })))
    const first = await page(bench, { task: 'crop', limit: 1 })
    expect(ids(first.records)).toEqual(['3'])
    const second = await page(bench, { task: 'crop', limit: 1, cursor: first.cursor })
    expect([ids(second.records), second.cursor]).toEqual([['6'], null])
  })
}

function cursors(open: OpenBench): void {
  it('a walk through pages shows each job that stays once, in its order', async () => {
    await fc.assert(fc.asyncProperty(
      fc.integer({ min: 1, max: 25 }), fc.integer({ min: 1, max: 6 }),
      fc.array(fc.tuple(fc.constantFrom('add', 'remove', 'cancel'), fc.nat(30)), { maxLength: 12 }),
      async (size, limit, between) => {
        const bench = await open()
        await bench.addMany(Array.from({ length: size }, (_, n) => ({ id: `job-${n}` })))
        const start = ids(await bench.list())
        const seen: string[] = []
        const removed = new Set<string>()
        let cursor: string | null = null
        do {
          const answer: Page = await page(bench, { limit, cursor })
          seen.push(...ids(answer.records))
          cursor = answer.cursor
          const [verb, n] = between.shift() ?? ['none', 0]
          if (verb === 'add') await bench.add({ id: `late-${n}` })
          else if (verb !== 'none') {
            const type = verb
            await bench.apply(`job-${n}`, { type })
            if (type === 'remove') removed.add(`job-${n}`)
          }
        } while (cursor !== null)
        expect(new Set(seen).size).toBe(seen.length)
        expect(seen.filter((id) => start.includes(id) && !removed.has(id)))
          .toEqual(start.filter((id) => !removed.has(id)))
      },
    ), runs(25))
  })
}

function counts(open: OpenBench): void {
  it('counts equals the list, in every state and phase', async () => {
    const bench = await open()
    await everywhere(bench)
    const found = await bench.counts()
    for (const state of states) {
      expect([state, found[state]]).toEqual(
        [state, (await page(bench, { states: [state] })).records.length],
      )
    }
    for (const phase of phases) {
      expect([phase, found[phase]]).toEqual([phase, (await page(bench, { phase })).records.length])
    }
    expect(found).toEqual({
      queued: 3, ready: 2, delayed: 1, blocked: 0, running: 1, cancelling: 1, completed: 1,
      failed: 1, cancelled: 1,
    })
  })

  it('counts every queue that the store knows, not those that were only asked for', async () => {
    const bench = await open()
    await bench.add({ id: 'a' })
    await bench.add({ id: 'b', queue: 'mail' })
    expect((await bench.counts('nowhere')).queued).toBe(0)
    await bench.list('nowhere')
    await bench.log('nowhere')
    await bench.claim({ queue: 'nowhere' })
    const all = await bench.store.counts(null)
    expect([...all.keys()].sort()).toEqual(['images', 'mail'])
    expect(all.get('images')).toEqual(await bench.counts())
    expect([...(await bench.store.counts('mail')).keys()]).toEqual(['mail'])
  })
}
