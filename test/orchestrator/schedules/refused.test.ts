import { task } from 'troupe'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { refusal, useStage } from '../../support/stage.ts'

const stage = useStage()

const tasks = {
  ping: () => 'pong',
  checked: task({ input: z.object({ size: z.number() }), handler: (job) => job.input.size }),
}

async function open() {
  return (await stage.open()).queue('reports', { tasks })
}

describe('a bad schedule', () => {
  const good = { every: '10s', task: 'ping' }
  const cases: [string, unknown, string, string][] = [
    ['no object', 'soon', 'invalid-option', 'schedule'],
    ['no rule', { task: 'ping' }, 'invalid-option', 'schedule'],
    ['an unknown option', { ...good, repeat: 3 }, 'invalid-option', 'schedule.repeat'],
    ['a bad interval', { ...good, every: '10 parsecs' }, 'invalid-option', 'schedule.every'],
    ['a short interval', { ...good, every: 50 }, 'invalid-option', 'schedule.every'],
    ['a bad cron', { task: 'ping', cron: '61 * * * *' }, 'invalid-option', 'schedule.cron'],
    ['a cron that never comes', { task: 'ping', cron: '0 0 31 2 *' }, 'invalid-option',
      'schedule.cron'],
    ['a bad zone', { task: 'ping', cron: '* * * * *', timeZone: 'Mars' }, 'invalid-option',
      'schedule.timeZone'],
    ['a zone for an interval', { ...good, timeZone: 'UTC' }, 'invalid-option',
      'schedule.timeZone'],
    ['a bad start', { ...good, startAt: -1 }, 'invalid-option', 'schedule.startAt'],
    ['an early end', { ...good, startAt: 5, endAt: 4 }, 'invalid-option', 'schedule.endAt'],
    ['an end before the first occurrence', { ...good, endAt: 5 }, 'invalid-option',
      'schedule.endAt'],
    ['no occurrences', { ...good, limit: 0 }, 'invalid-option', 'schedule.limit'],
    ['a bad overlap', { ...good, overlap: 'queue' }, 'invalid-option', 'schedule.overlap'],
    ['a bad catchUp', { ...good, catchUp: true }, 'invalid-option', 'schedule.catchUp'],
    ['an id', { ...good, id: 'x' }, 'invalid-option', 'schedule.id'],
    ['a delay', { ...good, delay: 5 }, 'invalid-option', 'schedule.delay'],
    ['a runAt', { ...good, runAt: 5 }, 'invalid-option', 'schedule.runAt'],
    ['a dedupe', { ...good, dedupe: { key: 'a', mode: 'simple' } }, 'invalid-option',
      'schedule.dedupe'],
    ['parents', { ...good, dependsOn: ['a'] }, 'invalid-option', 'schedule.dependsOn'],
    ['a rule for parents', { ...good, onParentFailure: 'run' }, 'invalid-option',
      'schedule.onParentFailure'],
    ['a bad add option', { ...good, priority: 'high' }, 'invalid-option', 'schedule.priority'],
    ['no task', { every: '10s' }, 'invalid-option', 'schedule.task'],
    ['an unknown task', { every: '10s', task: 'paint' }, 'unknown-task', 'schedule.task'],
    ['no JSON', { ...good, input: { at: 5n } }, 'invalid-input', 'schedule.input.at'],
    ['an input of another form', { every: '10s', task: 'checked', input: { size: 'big' } },
      'invalid-input', 'schedule.input.size'],
    ['a large input', { ...good, input: 'x'.repeat(70_000) }, 'too-large', 'schedule.input'],
  ]

  it.each(cases)('with %s is refused, and nothing stored', async (_name, spec, code, path) => {
    const queue = await open()
    const error = await refusal(queue.schedules.upsert('a', spec as never))
    expect(error.code).toBe(code)
    expect(error.message).toContain(path)
    if (error.code !== 'unknown-task') expect(error.details).toMatchObject({ path })
    expect(await queue.schedules.list()).toEqual([])
  })

  it.each(['', 'x'.repeat(81), 'a\nb', 5 as never])('key %j is refused', async (key) => {
    const { schedules } = await open()
    const calls = [
      schedules.upsert(key, { every: '10s', task: 'ping' }), schedules.get(key),
      schedules.pause(key), schedules.resume(key), schedules.trigger(key), schedules.remove(key),
    ]
    for (const call of calls) {
      expect(await refusal(call)).toMatchObject({ details: { path: 'key' } })
    }
  })

  it('is refused after the end', async () => {
    const troupe = await stage.open()
    const { schedules } = troupe.queue('reports', { tasks })
    await troupe.stop()
    const calls = [
      schedules.upsert('a', { every: '10s', task: 'ping' }), schedules.list(), schedules.get('a'),
      schedules.preview('a'), schedules.preview({ every: '1s' }), schedules.pause('a'),
      schedules.resume('a'), schedules.trigger('a'), schedules.remove('a'),
    ]
    for (const call of calls) expect((await refusal(call)).code).toBe('stopped')
  })
})
