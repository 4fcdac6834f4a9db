import type { Job, Troupe, TroupeOptions } from 'troupe'
import { describe, expect, test } from 'vitest'
import { faultyStore, refuse, waitFor } from '../../src/testing/faulty-store.ts'
import { expectOutages } from '../support/outage-lines.ts'
import { SharedStore } from '../support/shared-store.ts'
import { hold, recordOf, thrown, useStage } from '../support/stage.ts'

const stage = useStage()

const never = new Promise<never>(() => undefined)

/** A worker on a store that others share, and when its handlers were aborted. */
async function open(options: TroupeOptions = {}) {
  const shared = new SharedStore(stage.env)
  const faulty = faultyStore(shared.session())
  const troupe = await stage.open({ store: faulty.store, ...options })
  const begin = stage.env.now()
  const gate = hold<string>()
  const aborted: [at: number, reason: unknown][] = []
  const queue = troupe.queue('q', {
    tasks: {
      work: (job: Job) => {
        job.signal.addEventListener('abort', () => {
          aborted.push([Math.round(stage.env.now() - begin), job.signal.reason])
        })
        return gate.promise
      },
    },
  })
  await troupe.start()
  const { id } = await queue.add('work')
  await stage.env.settle()
  return { shared, faulty, troupe, queue, id, gate, aborted }
}

const lost = { code: 'lease-lost' }

describe('before its lease can lapse, a handler is aborted', () => {
  test('when heartbeats are refused for long', async () => {
    const { faulty, aborted, queue, id, gate } = await open()
    faulty.next('renew', refuse, 12)
    await stage.env.advance(23_999)
    expect(aborted).toEqual([])
    await stage.env.advance(5000)
    expect(aborted).toMatchObject([[24_000, lost]])
    expect((await recordOf(queue, id)).state).toBe('running')
    gate.release('late')
    await stage.env.settle()
    expect(faulty.calls('commit')).toEqual([])
    await stage.env.advance(60_000)
    expectOutages(stage.takeLines())
  })

  test('when a heartbeat is not answered, and the next ones go all the same', async () => {
    const { faulty, aborted } = await open()
    faulty.next('renew', waitFor(never), 1000)
    await stage.env.advance(9999)
    expect(faulty.calls('renew')).toHaveLength(1)
    await stage.env.advance(14_000)
    expect(faulty.calls('renew')).toHaveLength(3)
    expect(aborted).toEqual([])
    await stage.env.advance(1)
    expect(aborted).toMatchObject([[24_000, lost]])
  })

  test('and not when one beat in between has come through', async () => {
    const { faulty, aborted, gate, queue, id } = await open()
    faulty.next('renew', waitFor(never), 1)
    faulty.next('renew', refuse, 1)
    await stage.env.advance(60_000)
    expect(aborted).toEqual([])
    gate.release('done')
    expect(await stage.drive(queue.job(id).result())).toBe('done')
    expectOutages(stage.takeLines())
  })

  test('and not on a store that one process holds', async () => {
    const { store, next } = faultyStore(stage.store)
    const troupe = await stage.open({ store })
    const gate = hold<string>()
    let job: Job | null = null
    const queue = troupe.queue('q', { tasks: { work: (each: Job) => {
      job = each
      return gate.promise
    } } })
    await troupe.start()
    const { id } = await queue.add('work')
    await stage.env.settle()
    next('renew', waitFor(never), 1000)
    await stage.env.advance(28_000)
    expect((job as Job | null)?.signal.aborted).toBe(false)
    gate.release('done')
    expect(await stage.drive(queue.job(id).result(), 1000)).toBe('done')
  })
})

describe('a process that was stopped and continues', () => {
  test('past its lease commits nothing, whatever has ended meanwhile', async () => {
    const { faulty, aborted, gate, queue, id } = await open()
    await stage.env.advance(5000)
    stage.env.freeze(40_000)
    gate.release('stale')
    await stage.env.settle()
    expect(faulty.calls('commit')).toEqual([])
    expect(aborted).toMatchObject([[45_000, lost]])
    await stage.env.advance(3000)
    // It has come back, stalled, and was run again by the same process, with its own right.
    expect(await recordOf(queue, id)).toMatchObject({ stalls: 1, attempt: 2, state: 'completed' })
  })

  test('past its lease aborts what goes on, before it beats', async () => {
    const { faulty, aborted, gate } = await open()
    // The next beat is due before the next look at the leases.
    await stage.env.advance(9500)
    stage.env.freeze(40_000)
    await stage.env.advance(0)
    expect(aborted).toMatchObject([[49_500, lost]])
    expect(faulty.calls('renew').at(-1)?.held).toEqual([])
    gate.release('stale')
    await stage.env.settle()
    expect(faulty.calls('commit').flat().filter(({ fence }) => fence === 1)).toEqual([])
  })

  test('within its lease goes on as if nothing had been', async () => {
    const { aborted, gate, queue, id } = await open()
    await stage.env.advance(5000)
    stage.env.freeze(15_000)
    gate.release('done')
    expect(await stage.drive(queue.job(id).result())).toBe('done')
    expect(aborted).toEqual([])
    expect(await recordOf(queue, id)).toMatchObject({ stalls: 0, attempt: 1 })
  })
})

describe('the option lease', () => {
  test('says how long a claim holds; beats come at a third of it', async () => {
    const { faulty, queue, id, troupe } = await open({ lease: '3s' })
    const { lease } = await recordOf(queue, id)
    expect(lease?.until).toBe(stage.env.now() + 3000)
    await stage.env.advance(2000)
    expect(faulty.calls('renew')).toHaveLength(3)
    expect(faulty.calls('renew').map(({ leaseMs }) => leaseMs)).toEqual([3000, 3000, 3000])
    expect((await recordOf(queue, id)).lease?.until).toBe(stage.env.now() + 3000)
    expect(await troupe.workers()).toHaveLength(1)
  })

  test.each(['999ms', 0, '25h', 'soon'] as never[])('%s is refused', async (lease) => {
    const refused = await stage.open({ lease }).then(
      (troupe): Troupe => troupe, (error: unknown) => error,
    )
    expect(thrown(() => { throw refused as Error }))
      .toMatchObject({ code: 'invalid-option', details: { path: 'createTroupe.lease' } })
  })
})
