import { expect, it } from 'vitest'
import { done, half } from '../records.ts'
import { leaseMs, must } from './bench.ts'
import type { Bench, OpenBench } from './bench.ts'

export function commitContract(open: OpenBench): void {
  acknowledged(open)
  conflicts(open)
  lost(open)
  repetitions(open)
  cancelAgainstFail(open)
}

function acknowledged(open: OpenBench): void {
  it('writes what was decided, with the operation, and logs it', async () => {
    const bench = await open()
    const running = await bench.running()
    await bench.env.advance(5)
    const commit = bench.decide(running, bench.event('complete', { progress: done }))
    const [answer] = await bench.store.commit([commit])
    expect(commit.record.operation).not.toBeNull()
    expect(answer).toEqual({ outcome: 'ok', record: commit.record })
    expect(await bench.get('job-1')).toEqual(commit.record)
    expect((await bench.log()).at(-1)).toEqual({ ...commit.transition, seq: 3 })
  })

  it('lets each member stand or fall alone', async () => {
    const bench = await open()
    await bench.addMany([{ id: 'good' }, { id: 'moved' }, { id: 'gone' }, { id: 'fine' }])
    const claimed = await bench.claim()
    const commits = claimed.map((record) => bench.decide(record, bench.event('complete')))
    await bench.apply('moved', { type: 'cancel' })
    await bench.complete(must(claimed[2]))
    await bench.apply('gone', { type: 'remove' })
    const answers = await bench.store.commit(commits)
    expect(answers.map(({ outcome }) => outcome)).toEqual(['ok', 'conflict', 'lost', 'ok'])
    expect((await bench.list()).map(({ id, state }) => [id, state])).toEqual([
      ['good', 'completed'], ['moved', 'cancelling'], ['fine', 'completed'],
    ])
  })

  it('takes no commits, too', async () => {
    const bench = await open()
    expect(await bench.store.commit([])).toEqual([])
  })

  it('takes one of two endings of one attempt', async () => {
    const bench = await open()
    const running = await bench.running()
    const endings = [bench.event('complete'), bench.event('fail', { retryable: false })]
    const answers = await bench.store.commit(endings.map((event) => bench.decide(running, event)))
    expect(answers.map(({ outcome }) => outcome)).toEqual(['ok', 'lost'])
    expect(await bench.get('job-1')).toMatchObject({ state: 'completed', rev: 3 })
  })
}

function conflicts(open: OpenBench): void {
  async function expectConflict(bench: Bench, commit: ReturnType<Bench['decide']>): Promise<void> {
    const before = await bench.picture()
    const [answer] = await bench.store.commit([commit])
    expect(answer).toEqual({ outcome: 'conflict', record: await bench.get('job-1') })
    expect(await bench.picture()).toEqual(before)
  }

  it('answers with the record now when somebody has cancelled in between', async () => {
    const bench = await open()
    const commit = bench.decide(await bench.running(), bench.event('complete'))
    await bench.apply('job-1', { type: 'cancel', reason: 'why' })
    await expectConflict(bench, commit)
    expect(await bench.get('job-1')).toMatchObject({ state: 'cancelling', reason: 'why' })
  })

  it('answers with the record now when progress came in between', async () => {
    const bench = await open()
    const running = await bench.running()
    const { fence } = running
    const commit = bench.decide(running, bench.event('fail'))
    await bench.store.progress([{ id: 'job-1', fence, by: 'worker:w1', progress: half, log: null }])
    await expectConflict(bench, commit)
    expect(await bench.complete(must(await bench.get('job-1')))).toMatchObject({ outcome: 'ok' })
  })
}

function lost(open: OpenBench): void {
  const cases: Readonly<Record<string, (bench: Bench) => Promise<unknown>>> = {
    'another worker has it, with another fence': async (bench) => {
      await bench.env.advance(leaseMs)
      await bench.sweep()
      return bench.claim({ worker: 'worker:w2' })
    },
    'it was taken back and waits': async (bench) => {
      await bench.env.advance(leaseMs)
      return bench.sweep()
    },
    'it was settled': async (bench) => bench.complete(must(await bench.get('job-1'))),
    'it was settled and lives again': async (bench) => {
      await bench.fail(must(await bench.get('job-1')))
      return bench.apply('job-1', { type: 'retry' })
    },
    'it was removed': async (bench) => {
      await bench.complete(must(await bench.get('job-1')))
      return bench.apply('job-1', { type: 'remove' })
    },
    'it was removed and added again': async (bench) => {
      await bench.complete(must(await bench.get('job-1')))
      await bench.apply('job-1', { type: 'remove' })
      return bench.running()
    },
  }

  it.each(Object.keys(cases))('answers "lost" when %s', async (name) => {
    const bench = await open()
    const running = await bench.running()
    const commits = [
      bench.decide(running, bench.event('fail')), bench.decide(running, bench.event('complete')),
    ]
    await must(cases[name])(bench)
    const before = await bench.picture()
    const lostAnswer = { outcome: 'lost' }
    expect(await bench.store.commit(commits)).toEqual([lostAnswer, lostAnswer])
    expect(await bench.picture()).toEqual(before)
  })

  it('answers "lost" to a stale worker whatever rev it names', async () => {
    const bench = await open()
    const stale = await bench.running()
    await bench.env.advance(leaseMs)
    await bench.sweep()
    const [fresh] = await bench.claim({ worker: 'worker:w2' })
    const { rev } = must(fresh)
    const commit = { ...bench.decide({ ...stale, rev }, bench.event('complete')), rev }
    const before = await bench.picture()
    expect(await bench.store.commit([commit])).toEqual([{ outcome: 'lost' }])
    expect(await bench.picture()).toEqual(before)
  })
}

function repetitions(open: OpenBench): void {
  it.each(['complete', 'fail', 'snooze', 'release'] as const)(
    'a repeated %s answers ok and changes nothing', async (type) => {
      const bench = await open()
      const commit = bench.decide(await bench.running(), bench.event(type))
      const [first] = await bench.store.commit([commit])
      const before = await bench.picture()
      await bench.env.advance(10)
      expect(await bench.store.commit([commit])).toEqual([first])
      expect(await bench.picture()).toEqual(before)
    },
  )

  it('changes nothing when it is repeated late, after others moved the job', async () => {
    const bench = await open()
    const commit = bench.decide(await bench.running(), bench.event('release'))
    await bench.store.commit([commit])
    const [second] = await bench.claim({ worker: 'worker:w2' })
    const before = await bench.picture()
    const [answer] = await bench.store.commit([commit])
    expect(answer?.outcome).not.toBe('conflict')
    expect(await bench.picture()).toEqual(before)
    expect(await bench.complete(must(second))).toMatchObject({ outcome: 'ok' })
  })

  it('answers ok twice when the repetition comes in the same call', async () => {
    const bench = await open()
    const commit = bench.decide(await bench.running(), bench.event('fail'))
    const [one, two] = await bench.store.commit([commit, commit])
    expect(one).toMatchObject({ outcome: 'ok' })
    expect(two).toEqual(one)
    expect(await bench.log()).toHaveLength(3)
  })

  it('remembers the operation over a reopening', async () => {
    const bench = await open()
    const commit = bench.decide(await bench.running(), bench.event('complete'))
    const [first] = await bench.store.commit([commit])
    await bench.reopen()
    expect(await bench.store.commit([commit])).toEqual([first])
    expect(await bench.log()).toHaveLength(3)
  })
}

function cancelAgainstFail(open: OpenBench): void {
  it.each(['fail', 'timeout', 'snooze', 'release'] as const)(
    'a %s that was decided before the cancel does not run the job again', async (type) => {
      const bench = await open()
      const commit = bench.decide(await bench.running(), bench.event(type))
      expect(commit.record.state).toBe('queued')
      await bench.apply('job-1', { type: 'cancel', reason: 'stop it' })
      const [answer] = await bench.store.commit([commit])
      if (answer?.outcome !== 'conflict') throw new Error('the stale rev was not noticed')
      expect(answer.record.state).toBe('cancelling')
      // Who was asked to end cannot time out any more.
      const then = type === 'timeout' ? 'abandon' : type
      const again = await bench.commit(answer.record, bench.event(then))
      expect(again).toMatchObject({
        outcome: 'ok', record: { state: 'cancelled', reason: 'stop it', by: 'ann' },
      })
      await bench.env.advance(10 * leaseMs)
      await bench.sweep()
      expect(await bench.claim()).toEqual([])
    },
  )

  it('a result that was there before the cancel is kept', async () => {
    const bench = await open()
    const commit = bench.decide(await bench.running(), bench.event('complete', { result: 7 }))
    await bench.apply('job-1', { type: 'cancel' })
    const [answer] = await bench.store.commit([commit])
    if (answer?.outcome !== 'conflict') throw new Error('the stale rev was not noticed')
    await bench.commit(answer.record, bench.event('complete', { result: 7 }))
    expect(await bench.get('job-1')).toMatchObject({ state: 'completed', result: 7 })
  })
}
