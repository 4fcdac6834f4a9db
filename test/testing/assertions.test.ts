import { AssertionError } from 'node:assert'
import { UnrecoverableError } from 'troupe'
import type { JobRecord } from 'troupe'
import { assertJob, assertTransitions, testTroupe } from 'troupe/testing'
import { beforeAll, describe, expect, it } from 'vitest'

let failed: JobRecord

beforeAll(async () => {
  const t = await testTroupe()
  const work = t.scripted('fail', { fail: new UnrecoverableError('disk full') })
  const queue = t.troupe.queue('images', { tasks: { work } })
  await queue.add('work', { file: 'a.jpg', size: { width: 8, height: 9 } }, { id: 'a', retries: 1 })
  await t.runUntilSettled()
  failed = await t.record({ id: 'a' })
  await t.stop()
})

function failure(check: () => void): AssertionError {
  try {
    check()
  } catch (error) {
    if (error instanceof AssertionError) return error
    throw error
  }
  throw new Error('nothing has failed')
}

describe('assertJob', () => {
  it('takes the fields that are given, and of objects the properties that are given', () => {
    assertJob(failed, 'failed')
    assertJob(failed, 'failed', {
      attempt: 2, reason: 'error', error: { message: 'disk full' },
      input: { size: { width: 8 } }, result: null, dependsOn: [],
    })
  })

  it('says what is otherwise, and why the job failed; a runner shows the two side by side', () => {
    const { message, actual, expected } = failure(() => {
      assertJob(failed, 'completed', { attempt: 2, input: { size: { width: 9 } } })
    })
    expect(message).toBe([
      'job a of images, task work:',
      "  state is 'failed', not 'completed'",
      '  input is { size: { width: 8 } }, not { size: { width: 9 } }',
      '  its error: UnrecoverableError: disk full',
    ].join('\n'))
    expect(actual).toEqual({ state: 'failed', attempt: 2, input: { size: { width: 8 } } })
    expect(expected).toEqual({ state: 'completed', attempt: 2, input: { size: { width: 9 } } })
  })

  it.each([
    ['a missing property', { input: { name: 'x' } }], ['a list', { dependsOn: ['b'] }],
    ['nothing instead of an object', { progress: { current: 1 } }],
    ['another type', { attempt: '2' as unknown as number }],
  ])('sees %s', (_, fields) => {
    expect(failure(() => { assertJob(failed, 'failed', fields) }).message).toContain(', not ')
  })

  it('sees that there is no job', () => {
    expect(failure(() => { assertJob(null, 'failed') }).message).toBe('there is no such job')
  })
})

describe('assertTransitions', () => {
  const steps = [
    'add→ready', 'claim→running', 'fail→delayed', 'due→ready', 'claim→running', 'fail→failed',
  ]

  it('takes a timeline; arrows and phases may be plain', () => {
    assertTransitions(failed, steps)
    assertTransitions(failed.timeline, steps)
    assertTransitions(failed, [
      'add -> queued', 'claim -> running', 'fail->queued', 'due→queued', 'claim → running',
      'fail -> failed',
    ])
  })

  it('shows both lists', () => {
    const { message, actual, expected } = failure(() => {
      assertTransitions(failed, ['add→ready', 'claim→running', 'cancel→cancelling', 'fail→failed'])
    })
    expect(message).toBe([
      'the transitions are not as expected (- expected, + there):',
      '    add→ready',
      '    claim→running',
      '  - cancel→cancelling',
      '  + fail→delayed',
      '  + due→ready',
      '  + claim→running',
      '    fail→failed',
    ].join('\n'))
    expect(actual).toEqual(steps)
    expect(expected).toHaveLength(4)
  })

  it('tells jobs apart when ids are given, and sees removals', async () => {
    const t = await testTroupe()
    const queue = t.troupe.queue('q', { tasks: { work: t.scripted() } })
    await queue.add('work', null, { id: 'a' })
    await queue.add('work', null, { id: 'b', delay: '1m' })
    await queue.remove('b')
    await t.runUntilIdle()
    assertTransitions(await t.transitions(queue), [
      'a: add→ready', 'b: add→delayed', 'b: remove→gone', 'a: claim→running',
      'a: complete→completed',
    ])
    await t.stop()
  })
})
