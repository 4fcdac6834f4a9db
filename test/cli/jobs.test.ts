import { writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { transferVersion } from '../../src/cli/transfer-lines.ts'
import { recordIn } from '../../src/testing/records.ts'
import { useCommandLine, values } from './command-line.ts'

const { troupe, spawned, at, onTerminal } = await useCommandLine()

function storeOf(name: string) {
  const env = { TROUPE_STORE: `file:${name}.json` }
  const run = (...args: string[]) => troupe(args, env)
  const json = async (...args: string[]) => values((await run(...args, '--json')).out)
  return { run, json, env }
}

test('add takes JSON, a file and standard input, and every option', async () => {
  const { run, json, env } = storeOf('add')
  const added = await run('add', 'photos', 'resize', '{"file":"a.jpg"}', '--id', 'one',
    '--retries', '3', '--backoff', '2s', '--timeout', '1m', '--ttl', '1h', '--max-stalls', '2',
    '--cancel-grace', '5s', '--priority', '-7', '--label', 'a.jpg', '--partition', 'ann',
    '--meta', 'user=7', '--meta', 'name=Ann Lee', '--dedupe', 'a')
  expect(added).toEqual({ code: 0, out: 'one\n', errors: '' })
  const [job] = await json('show', 'one')
  expect(job).toMatchObject({
    id: 'one', queue: 'photos', task: 'resize', input: { file: 'a.jpg' }, state: 'queued',
    priority: -7, ttlMs: 3_600_000, label: 'a.jpg', partition: 'ann',
    meta: { user: 7, name: 'Ann Lee' }, dedupe: { key: 'a' },
    timeline: [{ event: 'add', by: 'cli' }],
  })
  expect(job).not.toHaveProperty('options')
  expect((await run('add', 'photos', 'resize', '1', '--id', 'one')).out)
    .toBe('one (was there already: queued)\n')
  await writeFile(at('order.json'), '[1,2]')
  await run('add', 'photos', 'resize', '@order.json', '--id', 'two', '--run-at', '2100-01-01')
  await spawned(['add', 'photos', 'resize', '-', '--id', 'three', '--after', 'one,two'],
    { env, input: '"text"' })
  await run('add', 'photos', 'resize', '--id', 'four', '--backoff',
    '{"type":"fixed","delay":"1s"}', '--on-parent-failure', 'run')
  expect(await json('show', 'two', 'three', 'four')).toMatchObject([
    { input: [1, 2], phase: 'delayed', runAt: Date.UTC(2100, 0, 1) },
    { input: 'text', phase: 'blocked', dependsOn: ['one', 'two'] },
    { input: null, phase: 'ready', onParentFailure: 'run' },
  ])
  const shown = await run('show', 'one')
  expect(shown.out).toContain('queued (ready)')
  expect(shown.out).toContain('{"file":"a.jpg"}')
})

test('list filters, sorts and limits', async () => {
  const { run, json, env } = storeOf('list')
  const lines = Array.from({ length: 5 }, (_, index) => importLine(`job-${index}`, index))
  await spawned(['import'], { env, input: exported(lines) })
  await run('add', 'mail', 'send', '--id', 'letter', '--label', 'a line', '--meta', 'n=1')
  const ids = async (...args: string[]) => (await json('list', ...args)).map(({ id }) => id)
  expect(await ids()).toEqual(['letter', 'job-0', 'job-1', 'job-2', 'job-3', 'job-4'])
  expect(await ids('photos', '--desc', '--limit', '2')).toEqual(['job-4', 'job-3'])
  expect(await ids('photos', '--sort', 'priority', '--limit', '1')).toEqual(['job-4'])
  expect(await ids('--meta', 'n=1')).toEqual(['letter', 'job-1'])
  expect(await ids('--text', 'JOB-3', '--task', 'resize', '--phase', 'ready')).toEqual(['job-3'])
  expect(await ids('--state', 'running,failed', '--created-after', '1h')).toEqual([])
  expect(await ids('--created-before', '1h')).toEqual([])
  const table = await run('list', '--limit', '3')
  expect(table.out).toContain('a line')
  expect(table.errors).toBe('photos: the first 3, there are more (--all)\n')
  expect(await run('list', 'photos', '--task', 'none')).toMatchObject({ out: 'no jobs\n' })
  expect((await run('list', '--all')).errors).toBe('')
})

function importLine(id: string, index: number): object {
  const patch = { id, queue: 'photos', priority: 9 - index, meta: { n: index }, runAt: 0 }
  return { type: 'job', job: recordIn('ready', patch) }
}

function exported(lines: readonly object[]): string {
  const head = { type: 'troupe-export', version: transferVersion, from: 'a test' }
  const all = [head, ...lines, { type: 'end' }]
  return all.map((line) => `${JSON.stringify(line)}\n`).join('')
}

test('verbs on one job: answers, exit codes, and the question before', async () => {
  const { run, json, env } = storeOf('verbs')
  await run('add', 'photos', 'resize', '--id', 'a')
  expect(await run('reschedule', 'a', '2h')).toMatchObject({ code: 0, out: 'a rescheduled\n' })
  expect(await json('show', 'a')).toMatchObject([{ phase: 'delayed' }])
  expect(await run('reschedule', 'a', 'now')).toMatchObject({ code: 0 })
  expect(await run('retry', 'a')).toMatchObject({ code: 1, out: 'a not-failed\n' })
  expect(await run('cancel', 'a')).toEqual({
    code: 2, out: '',
    errors: 'troupe: Cancel the job a? Nobody is here to answer: add --yes to do it\n',
  })
  expect(await run('cancel', 'a', '--dry-run'))
    .toMatchObject({ code: 0, out: 'a would be asked to; it is queued now\n' })
  const no = await onTerminal(['cancel', 'a'], { env, input: 'n\n' }).ended
  expect(no).toMatchObject({ code: 1 })
  expect(no.out).toContain('Cancel the job a? [y/N]')
  expect(no.out).toContain('nothing was done')
  expect(await json('cancel', 'a', '--reason', 'wrong file', '--yes'))
    .toEqual([{ id: 'a', queue: 'photos', answer: 'cancelled' }])
  expect(await json('show', 'a')).toMatchObject([{ state: 'cancelled', reason: 'wrong file' }])
  expect(await run('cancel', 'a', '-y')).toMatchObject({ code: 1, out: 'a settled\n' })
  expect(await run('retry', 'a')).toMatchObject({ code: 0, out: 'a retried\n' })
  const yes = await onTerminal(['remove', 'a'], { env, input: 'y\n' }).ended
  expect(yes).toMatchObject({ code: 0 })
  expect(yes.out).toContain('a removed')
  expect(await run('show', 'a')).toMatchObject({ code: 1, out: '' })
  expect(await run('show', 'a', '--queue', 'photos'))
    .toMatchObject({ code: 1, errors: 'troupe: the queue photos has no job "a"\n' })
})

test('verbs on all that a filter finds', async () => {
  const { run, json, env } = storeOf('bulk')
  const lines = Array.from({ length: 4 }, (_, index) => importLine(`job-${index}`, index))
  await spawned(['import'], { env, input: exported(lines) })
  const bulk = ['--queue', 'photos', '--meta', 'n=2']
  expect(await json('cancel', ...bulk, '--dry-run'))
    .toEqual([{ queue: 'photos', dryRun: true, matched: 1, done: 0 }])
  expect(await run('cancel', ...bulk)).toMatchObject({
    code: 2, errors: expect.stringContaining('Cancel 1 job of photos? Nobody is here') as string,
  })
  expect(await run('cancel', ...bulk, '--yes'))
    .toMatchObject({ code: 0, out: 'photos: 1 matched, 1 done\n' })
  expect(await run('cancel', '--queue', 'photos', '--yes')).toMatchObject({ code: 2 })
  expect(await json('cancel', '--queue', 'photos', '--all', '--yes'))
    .toMatchObject([{ matched: 3, done: 3 }])
  expect(await json('retry', '--queue', 'photos', '--state', 'cancelled'))
    .toMatchObject([{ matched: 4, done: 4 }])
  await run('cancel', ...bulk, '--yes')
  expect(await run('clean', 'photos', '--all')).toMatchObject({ code: 2 })
  expect(await json('clean', 'photos', '--all', '--yes'))
    .toEqual([{ queue: 'photos', dryRun: false, matched: 1, done: 1, awaited: 0 }])
  expect(await json('counts', 'photos')).toMatchObject([{ queued: 3, cancelled: 0 }])
})

test('queues: counts, pause, resume, explain, workers, doctor', async () => {
  const { run, json } = storeOf('queues')
  await run('add', 'photos', 'resize', '--id', 'a')
  expect(await run('pause', 'photos')).toMatchObject({ code: 0, out: 'photos paused\n' })
  expect(await run('pause', 'photos')).toMatchObject({ code: 1, out: 'photos already-paused\n' })
  expect((await run('counts')).out).toMatch(/photos +1 +0 .*paused/)
  expect(await json('counts')).toMatchObject([{ queue: 'photos', paused: true, queued: 1 }])
  const [explanation] = await json('explain', 'a')
  expect(explanation).toMatchObject({ why: 'paused' })
  expect(explanation).not.toHaveProperty('record')
  expect((await run('explain', 'a')).out).toMatch(/^paused: /)
  expect(await run('resume', 'photos')).toMatchObject({ code: 0, out: 'photos resumed\n' })
  expect(await run('resume', 'photos')).toMatchObject({ code: 1 })
  expect(await run('workers')).toMatchObject({ code: 1, out: 'no worker is alive\n' })
  expect(await run('doctor')).toMatchObject({ code: 0 })
  expect(await json('doctor')).toMatchObject([{ check: 'store' }, { check: 'queues' }, {}])
})

test('schedules: set, list, show, preview, pause, trigger, remove', async () => {
  const { run, json } = storeOf('schedules')
  const of = (verb: string, ...args: string[]) => run('schedules', verb, 'reports', ...args)
  const set = ['nightly', 'make', '{"n":1}', '--cron', '0 3 * * *', '--time-zone', 'Europe/Berlin']
  expect(await of('set', ...set, '--overlap', 'skip', '--retries', '2'))
    .toMatchObject({ code: 0, out: 'reports nightly created\n' })
  expect(await of('set', ...set, '--overlap', 'skip', '--retries', '2'))
    .toMatchObject({ out: 'reports nightly unchanged\n' })
  expect(await json('schedules', 'list')).toEqual([])
  expect(await json('schedules', 'list', 'reports')).toMatchObject([{
    queue: 'reports', key: 'nightly', task: 'make', input: { n: 1 }, overlap: 'skip',
    rule: { cron: '0 3 * * *', timeZone: 'Europe/Berlin' },
  }])
  expect((await of('list')).out).toContain('0 3 * * * (Europe/Berlin)')
  expect((await of('show', 'nightly')).out).toMatch(/key +"nightly"/)
  expect(await of('show', 'nigthly')).toMatchObject({
    code: 1,
    errors: 'troupe: the queue reports has no schedule "nigthly" (did you mean "nightly"?)\n',
  })
  expect((await of('preview', 'nightly', '--count', '2')).out).toMatch(/^(\S+Z\n){2}$/)
  expect(await of('pause', 'nightly')).toMatchObject({ code: 0 })
  expect(await of('resume', 'nightly')).toMatchObject({ out: 'reports nightly resumed\n' })
  expect(await of('trigger', 'nightly')).toMatchObject({ code: 0 })
  expect(await of('trigger', 'nightly')).toMatchObject({ code: 1 })
  expect(await of('remove', 'nightly')).toMatchObject({ code: 2 })
  expect(await of('remove', 'nightly', '--yes')).toMatchObject({ code: 0 })
  expect(await json('counts', 'reports')).toMatchObject([{ queued: 1 }])
})
