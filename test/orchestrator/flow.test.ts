import { memoryStore } from 'troupe'
import type { After, Flow, Job, Parent } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse } from '../../src/testing/faulty-store.ts'
import { recordOf, refusal, useStage } from '../support/stage.ts'

const stage = useStage()

interface Page { readonly url: string }

async function open(store = stage.store) {
  const troupe = await stage.open({ store })
  const pages = troupe.queue('pages', {
    tasks: {
      fetch: ({ input }: Job<Page>) => ({ text: `text of ${input.url}` }),
      fail: (_job: Job<Page>) => { throw new Error('no such page') },
    },
  })
  const seen: (readonly Parent[])[] = []
  const books = troupe.queue('books', {
    tasks: {
      bind: (job: Job) => {
        seen.push(job.parents)
        return job.parents.map(({ result }) =>
          (result as { readonly text: string } | null)?.text ?? null)
      },
    },
  })
  return { troupe, pages, books, seen }
}

describe('a flow', () => {
  test('runs each job after those that it comes after, and hands over their results', async () => {
    const { troupe, pages, books, seen } = await open()
    await troupe.start()
    const { book, one } = await troupe.flow({
      book: books.spec('bind', undefined, { label: 'the book' }),
      one: pages.spec('fetch', { url: 'a' }),
      two: pages.spec('fetch', { url: 'b' }, { id: 'page b' }),
    }, { book: ['two', 'one'] })
    expect(await stage.drive(book.result())).toEqual(['text of b', 'text of a'])
    const page = { queue: 'pages', task: 'fetch', state: 'completed', error: null }
    expect(seen).toEqual([[
      { ...page, id: 'page b', key: 'two', result: { text: 'text of b' } },
      { ...page, id: one.id, key: 'one', result: { text: 'text of a' } },
    ]])
    expect(await recordOf(books, book.id)).toMatchObject({
      label: 'the book', dependsOn: ['page b', one.id], parentKeys: ['two', 'one'],
    })
    expect(Object.keys(await troupe.flow({}))).toEqual([])
  })

  test('counts a parent once that dependsOn names as well', async () => {
    const { troupe, pages, books, seen } = await open()
    const { book } = await troupe.flow({
      page: pages.spec('fetch', { url: 'a' }, { id: 'page' }),
      book: books.spec('bind', undefined, { dependsOn: ['page'] }),
    }, { book: ['page'] })
    expect(await recordOf(books, book.id)).toMatchObject({ openParents: 1, dependsOn: ['page'] })
    await troupe.start()
    await stage.drive(book.result())
    expect(seen).toMatchObject([[{ id: 'page', key: 'page' }]])
  })

  test('joins parents from outside, which have no key', async () => {
    const { troupe, pages, books, seen } = await open()
    await troupe.start()
    const cover = await pages.add('fetch', { url: 'cover' }, { id: 'cover' })
    const { book } = await troupe.flow({
      page: pages.spec('fetch', { url: 'a' }, { id: 'page' }),
      book: books.spec('bind', undefined, { dependsOn: [cover] }),
    }, { book: ['page'] })
    expect(await stage.drive(book.result())).toEqual(['text of cover', 'text of a'])
    expect(seen[0]?.map(({ id, key }) => [id, key])).toEqual([['cover', null], ['page', 'page']])
  })

  test('is one write: all of it or nothing', async () => {
    const { store, next, calls } = faultyStore(memoryStore())
    const { troupe, pages, books } = await open(store)
    const specs = {
      page: pages.spec('fetch', { url: 'a' }), book: books.spec('bind'),
    }
    next('insert', refuse)
    await expect(troupe.flow(specs, { book: ['page'] })).rejects.toMatchObject({
      code: 'store-failed',
    })
    await troupe.flow(specs, { book: ['page'] })
    expect(calls('insert')).toHaveLength(2)
    expect(calls('insert')[1]).toHaveLength(2)
    expect(await pages.counts()).toMatchObject({ ready: 1 })
    expect(await books.counts()).toMatchObject({ blocked: 1 })
  })

  test('fails as its jobs say', async () => {
    const { troupe, pages, books, seen } = await open()
    await troupe.start()
    const { book, draft } = await troupe.flow({
      page: pages.spec('fail', { url: 'a' }), book: books.spec('bind'),
      draft: books.spec('bind', undefined, { onParentFailure: 'run' }),
    }, { book: ['page'], draft: ['page'] })
    expect(await refusal(stage.drive(book.result()))).toMatchObject({
      code: 'job-failed', details: { reason: 'dependency' },
    })
    expect(await stage.drive(draft.result())).toEqual([null])
    const error = { message: 'no such page' }
    expect(seen[0]).toMatchObject([{ key: 'page', state: 'failed', error }])
  })

  test('finds jobs again that have its ids', async () => {
    const { troupe, pages, books } = await open()
    const specs = () => ({
      page: pages.spec('fetch', { url: 'a' }, { id: 'page' }),
      book: books.spec('bind', undefined, { id: 'book' }),
    })
    const first = await troupe.flow(specs(), { book: ['page'] })
    const second = await troupe.flow(specs(), { book: ['page'] })
    expect([first.page.created, first.book.created]).toEqual([true, true])
    expect([second.page.created, second.book.created]).toEqual([false, false])
    expect(await books.counts()).toMatchObject({ blocked: 1, queued: 1 })
  })

  test('gives each key its own job, also of one spec', async () => {
    const { troupe, pages } = await open()
    const spec = pages.spec('fetch', { url: 'a' })
    const { a, b } = await troupe.flow({ a: spec, b: spec }, { b: ['a'] })
    expect(a.id).not.toBe(b.id)
    expect(await pages.counts()).toMatchObject({ ready: 1, blocked: 1 })
  })
})

describe('a flow is refused', () => {
  async function refused(make: (context: Awaited<ReturnType<typeof open>>) => Promise<unknown>) {
    const context = await open()
    const { code, details, message } = await refusal(make(context))
    expect(await context.pages.counts()).toMatchObject({ queued: 0 })
    expect(await context.books.counts()).toMatchObject({ queued: 0 })
    return { code, message, ...details }
  }

  test('with a circle, which is named by keys', async () => {
    expect(await refused(({ troupe, books }) => troupe.flow({
      a: books.spec('bind'), b: books.spec('bind'), c: books.spec('bind'),
      d: books.spec('bind'),
    }, { a: ['b', 'd'], b: ['c'], c: ['a'] }))).toEqual({
      code: 'dependency-cycle', cycle: ['a', 'b', 'c', 'a'],
      message: 'jobs wait for each other in a circle: a → b → c → a',
    })
  })

  test('with a parent that nobody has', async () => {
    expect(await refused(({ troupe, books }) => troupe.flow({
      a: books.spec('bind', undefined, { dependsOn: ['nobody'] }),
    }))).toMatchObject({
      code: 'unknown-parent', id: 'nobody', path: 'jobs.a.dependsOn[0]',
      message: 'jobs.a.dependsOn[0]: there is no job "nobody" in the store',
    })
  })

  test('with more than 1,000 parents, wherever they are named', async () => {
    const few = Array.from({ length: 600 }, (_, n) => `p${n}`)
    expect(await refused(({ troupe, books }) => {
      const specs: Flow = {
        ...Object.fromEntries(few.map((key) => [key, books.spec('bind')])),
        last: books.spec('bind', undefined, { dependsOn: few.map((key) => `other ${key}`) }),
      }
      return troupe.flow(specs, { last: few })
    })).toMatchObject({ code: 'invalid-option', path: 'after.last' })
  })

  const wrongAfters = {
    'after.x': { x: ['a'] }, 'after.b[1]': { b: ['a', 'x'] }, 'after.b[0]': { b: [7] },
    'after.b': { b: 'a' }, 'after': ['a'],
  } as const

  test.each(Object.entries(wrongAfters))('for what is wrong at %s', async (path, after) => {
    expect(await refused(({ troupe, books }) =>
      troupe.flow({ a: books.spec('bind'), b: books.spec('bind') }, after as never)))
      .toMatchObject({ code: 'invalid-option', path })
  })

  test('for a job that is not right, which is named by its key', async () => {
    const page = { url: 'a' }
    expect(await refused(({ troupe, pages, books }) => troupe.flow({
      good: books.spec('bind'), bad: pages.spec('fetch', page, { retries: -1 }),
    }))).toMatchObject({ code: 'invalid-option', path: 'jobs.bad.options.retries' })
    expect(await refused(({ troupe, pages }) => troupe.flow({
      bad: pages.spec('fetsh' as 'fetch', page),
    }))).toMatchObject({ code: 'unknown-task', task: 'fetsh' })
    expect(await refused(({ troupe, pages }) => troupe.flow({
      bad: pages.spec('fetch', { url: 1n } as never),
    }))).toMatchObject({ code: 'invalid-input', path: 'jobs.bad.input.url' })
    const wrong = { bad: { queue: 'pages', task: 'fetch' } } as Flow
    expect(await refused(({ troupe }) => troupe.flow(wrong)))
      .toMatchObject({ code: 'invalid-option', path: 'jobs.bad' })
    expect(await refused(({ troupe }) => troupe.flow([] as never)))
      .toMatchObject({ code: 'invalid-option', path: 'jobs' })
  })

  test('when its queue is full, or the troupe was stopped', async () => {
    const { troupe, pages, books } = await open()
    const small = troupe.queue('small', { maxQueued: 1, tasks: { work: () => 1 } })
    const specs = {
      page: pages.spec('fetch', { url: 'a' }), b: small.spec('work'), c: small.spec('work'),
    }
    const after: After<typeof specs> = { c: ['b'] }
    expect(await refusal(troupe.flow(specs, after))).toMatchObject({ code: 'queue-full' })
    expect(await pages.counts()).toMatchObject({ queued: 0 })
    await troupe.stop()
    expect(await refusal(troupe.flow({ book: books.spec('bind') })))
      .toMatchObject({ code: 'stopped' })
  })
})
