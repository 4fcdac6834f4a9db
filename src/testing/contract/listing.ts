import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { sortKeys } from '../../stores/reading.ts'
import type { ListQuery, Page } from '../../stores/reading.ts'
import { listQuery } from '../records.ts'
import { runs } from '../runs.ts'
import { ids } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'
import { anyQuery, draft, expectedList, fate, populate } from './listing-reference.ts'

export function listingContract(open: OpenBench): void {
  filters(open)
  text(open)
  sorts(open)
  manyRows(open)
  wrongCursors(open)
  walks(open)
  longSearch(open)
}

function page(bench: Bench, patch: Partial<ListQuery>): Promise<Page> {
  return bench.store.list(listQuery({ limit: 1000, ...patch }))
}

async function found(bench: Bench, patch: Partial<ListQuery>): Promise<string[]> {
  return ids((await page(bench, patch)).records)
}

/** All pages of a walk; it must come to an end. */
async function walk(
  bench: Bench, query: Partial<ListQuery>, between: () => Promise<void> = async () => undefined,
): Promise<string[]> {
  const seen: string[] = []
  let cursor: string | null = null
  for (let pages = 0; pages < 200; pages += 1) {
    const answer: Page = await page(bench, { ...query, cursor })
    expect(answer.records.length).toBeLessThanOrEqual(query.limit ?? 1000)
    seen.push(...ids(answer.records))
    cursor = answer.cursor
    if (cursor === null) return seen
    await between()
  }
  throw new Error('the walk does not end')
}

function filters(open: OpenBench): void {
  it('list filters by partition', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'a', partition: 'p' }, { id: 'b' }, { id: 'c', partition: 'P' }])
    expect(await found(bench, { partition: 'p' })).toEqual(['a'])
    expect(await found(bench, { partition: 'q' })).toEqual([])
  })

  it('list filters by properties of meta, whole values of them', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'both', meta: { tenant: 't1', size: 2 } },
      { id: 'text', meta: { tenant: 't1', size: '2' } },
      { id: 'deep', meta: { tenant: { name: 't1', tags: ['a', 'b'] }, gone: null } },
      { id: 'none' }, { id: 'list', meta: ['tenant', 't1'] }, { id: 'plain', meta: 't1' },
    ])
    expect(await found(bench, { meta: { tenant: 't1' } })).toEqual(['both', 'text'])
    expect(await found(bench, { meta: { size: 2, tenant: 't1' } })).toEqual(['both'])
    expect(await found(bench, { meta: { tenant: { tags: ['a', 'b'], name: 't1' } } }))
      .toEqual(['deep'])
    expect(await found(bench, { meta: { tenant: { name: 't1' } } })).toEqual([])
    expect(await found(bench, { meta: { gone: null } })).toEqual(['deep'])
    expect(await found(bench, { meta: { toString: null } })).toEqual([])
  })

  it('list filters by times: from the first moment on, before the last one', async () => {
    const bench = await open()
    const start = bench.env.now()
    for (const id of ['a', 'b', 'c']) {
      await bench.add({ id, delayMs: 1e6 })
      await bench.env.advance(10)
    }
    for (const id of ['c', 'a']) {
      await bench.apply(id, { type: 'cancel' })
      await bench.env.advance(10)
    }
    const created = (from: number | null, to: number | null) =>
      found(bench, { created: { from, to } })
    expect(await created(start + 10, start + 20)).toEqual(['b'])
    expect(await created(start + 10, null)).toEqual(['b', 'c'])
    expect(await created(null, start + 10)).toEqual(['a'])
    expect(await created(start + 1, start + 9)).toEqual([])
    expect(await created(null, null)).toEqual(['a', 'b', 'c'])
    const settled = (from: number | null, to: number | null) =>
      found(bench, { settled: { from, to } })
    expect(await settled(start + 30, start + 40)).toEqual(['c'])
    expect(await settled(start + 30, null)).toEqual(['a', 'c'])
    expect(await settled(null, start + 40)).toEqual(['c'])
    expect(await settled(null, null)).toEqual(['a', 'c'])
  })
}

function text(open: OpenBench): void {
  it('list finds a text in id, label, input, meta, result and error, large or small', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'Needle-1' }, { id: 'b', label: 'a neeDLE' }, { id: 'c', input: { a: ['xNEEDLEx'] } },
      { id: 'd', meta: { needle: 1 } }, { id: 'e' }, { id: 'f' }, { id: 'g' },
      { id: 'h', partition: 'needle' }, { id: 'i', task: 'needle' },
    ])
    const running = new Map((await bench.claim()).map((record) => [record.id, record]))
    const get = (id: string) => running.get(id) ?? expect.fail(id)
    await bench.commit(get('e'), bench.event('complete', { result: { text: 'a Needle' } }))
    await bench.commit(get('f'), bench.event('fail', {
      error: { name: 'Error', message: 'no needle' }, retryable: false,
    }))
    const all = ['Needle-1', 'b', 'c', 'd', 'e', 'f']
    for (const word of ['needle', 'NEEDLE']) {
      expect(await found(bench, { text: word })).toEqual(all)
      expect(await found(bench, { text: word, descending: true })).toEqual(all.toReversed())
    }
    expect(await found(bench, { text: 'no needle' })).toEqual(['f'])
    expect(await found(bench, { text: 'needle', states: ['completed'] })).toEqual(['e'])
  })

  it('list finds quotes, backslashes, and letters of all the world', async () => {
    const bench = await open()
    await bench.addMany([
      { id: 'a', input: { text: 'she said "hi"' } }, { id: 'b', input: ['C:\\temp'] },
      { id: 'c', meta: { name: 'Größe 100 % 漢字' } }, { id: 'd', label: 'under_score' },
    ])
    expect(await found(bench, { text: '"hi"' })).toEqual(['a'])
    expect(await found(bench, { text: 'c:\\T' })).toEqual(['b'])
    expect(await found(bench, { text: '100 % 漢' })).toEqual(['c'])
    // Not taken for a pattern.
    for (const word of ['g%e', 'gr_ße', 'gr.ße', 'under.score']) {
      expect(await found(bench, { text: word })).toEqual([])
    }
    expect(await found(bench, { text: 'r_s' })).toEqual(['d'])
  })
}

function sorts(open: OpenBench): void {
  it('list sorts by each key, both ways; what has not settled comes last', async () => {
    const bench = await open()
    const now = bench.env.now()
    await bench.addMany([
      { id: 'a', priority: 3, runAt: now + 500 }, { id: 'b', priority: -7, runAt: now + 900 },
      { id: 'c', priority: 3, runAt: now + 100 }, { id: 'd', priority: 10, runAt: now + 500 },
    ])
    for (const id of ['d', 'b']) {
      await bench.env.advance(1)
      await bench.apply(id, { type: 'cancel' })
    }
    const sorted = async (sort: ListQuery['sort']) =>
      [await found(bench, { sort }), await found(bench, { sort, descending: true })]
    expect(await sorted('createdAt')).toEqual([['a', 'b', 'c', 'd'], ['d', 'c', 'b', 'a']])
    expect(await sorted('priority')).toEqual([['b', 'a', 'c', 'd'], ['d', 'c', 'a', 'b']])
    expect(await sorted('runAt')).toEqual([['c', 'a', 'd', 'b'], ['b', 'd', 'a', 'c']])
    expect(await sorted('settledAt')).toEqual([['d', 'b', 'a', 'c'], ['b', 'd', 'c', 'a']])
  })
}

function manyRows(open: OpenBench): void {
  it('list puts hundreds of jobs in order, page by page', async () => {
    const bench = await open()
    const now = bench.env.now()
    const jobs = Array.from({ length: 600 }, (_, n) =>
      ({ id: `job-${n}`, priority: n * 37 % 101, runAt: now + 1000 + n * 271 % 600 }))
    const records = await bench.addMany(jobs)
    for (const sort of ['priority', 'runAt', 'settledAt'] as const) {
      for (const descending of [false, true]) {
        const query = { sort, descending, limit: 7 }
        expect(await walk(bench, query)).toEqual(ids(expectedList(records, listQuery(query))))
      }
    }
  })
}

function wrongCursors(open: OpenBench): void {
  it('list refuses a cursor of another sort, of another order, and of nobody', async () => {
    const bench = await open()
    await bench.addMany(['a', 'b', 'c'].map((id) => ({ id })))
    for (const sort of sortKeys) {
      for (const descending of [false, true]) {
        const query = { sort, descending, limit: 1 }
        const { cursor } = await page(bench, query)
        expect(await found(bench, { ...query, cursor })).toEqual(['b'])
        const wrong = { code: 'invalid-cursor', details: { cursor } }
        for (const other of sortKeys) {
          if (other === sort) continue
          await expect(page(bench, { ...query, sort: other, cursor })).rejects.toMatchObject(wrong)
        }
        await expect(page(bench, { ...query, descending: !descending, cursor }))
          .rejects.toMatchObject(wrong)
        for (const none of ['', 'x', '1:2', `${String(cursor)}0x`, `${sort}+NaN:1`]) {
          await expect(page(bench, { ...query, cursor: none }))
            .rejects.toMatchObject({ code: 'invalid-cursor' })
        }
      }
    }
  })
}

function walks(open: OpenBench): void {
  it('a walk of any filter and sort is what filtering and sorting a list gives', async () => {
    await fc.assert(fc.asyncProperty(
      fc.array(draft, { maxLength: 20 }), fc.array(fate, { maxLength: 20 }), anyQuery,
      async (drafts, fates, { created, settled, ...query }) => {
        const bench = await open()
        const start = bench.env.now()
        const added = await populate(bench, drafts, fates)
        const shift = (span: typeof created) => span && {
          from: span.from === null ? null : span.from + start,
          to: span.to === null ? null : span.to + start,
        }
        const whole = { ...query, created: shift(created), settled: shift(settled) }
        const records = (await bench.store.get(added)).flatMap((record) => record ?? [])
        expect(await walk(bench, whole)).toEqual(ids(expectedList(records, listQuery(whole))))
      },
    ), runs(60))
  })

  it('a walk in the order of insertion shows each job that stays once, always', async () => {
    const change = fc.tuple(
      fc.constantFrom('add', 'remove', 'cancel', 'retry', 'claim', 'nothing'), fc.nat(25),
    )
    await fc.assert(fc.asyncProperty(
      fc.array(draft, { minLength: 1, maxLength: 25 }), fc.array(change, { maxLength: 20 }),
      fc.constantFrom({}, { task: 'resize' }, { text: 'job' }, { meta: { a: 1 } }),
      fc.boolean(), fc.integer({ min: 1, max: 5 }),
      async (drafts, changes, filter, descending, limit) => {
        const bench = await open()
        const added = await populate(bench, drafts, [])
        const left = [...changes]
        const seen = await walk(bench, { ...filter, descending, limit }, async () => {
          const [verb, n] = left.shift() ?? ['nothing', 0]
          if (verb === 'add') await bench.add({ id: `job-late-${n}`, meta: { a: 1 } })
          else if (verb === 'claim') await bench.claim({ limit: 1 })
          else if (verb !== 'nothing') await bench.apply(`job-${n}`, { type: verb })
        })
        expect(new Set(seen).size).toBe(seen.length)
        const stayed = (await bench.store.get(added)).flatMap((record) => record ?? [])
        const wanted = ids(expectedList(stayed, listQuery({ ...filter, descending })))
        expect(seen.filter((id) => wanted.includes(id))).toEqual(wanted)
        const late = seen.filter((id) => id.includes('late'))
        if (descending) expect(late).toEqual([])
      },
    ), runs(40))
  })
}

function longSearch(open: OpenBench): void {
  it('a search for text stops after 10,000 jobs, says where, and goes on from there', async () => {
    const bench = await open()
    for (let n = 0; n < 10_100; n += 1010) {
      await bench.addMany(Array.from({ length: 1010 }, (_, i) => ({ id: `job-${n + i}` })))
      await bench.env.advance(1)
    }
    const needle = await bench.add({ id: 'needle' })
    const first = await page(bench, { text: 'needle' })
    const { createdAt } = await bench.get('job-9999') ?? expect.fail('no such job')
    expect(first).toMatchObject({ records: [], stopped: { scanned: 10_000, createdAt } })
    expect(await page(bench, { text: 'needle', cursor: first.cursor }))
      .toEqual({ records: [needle], cursor: null, stopped: null })
    const backward = await page(bench, { text: 'needle', descending: true, limit: 1 })
    // The page is full: where the search has stopped is nobody's concern.
    expect(backward).toMatchObject({ records: [{ id: 'needle' }], stopped: null })
    expect(await page(bench, { text: 'needle', descending: true, cursor: backward.cursor }))
      .toEqual({ records: [], cursor: null, stopped: null })
    expect((await page(bench, { task: 'crop' })).cursor).toBeNull()
  })
}
