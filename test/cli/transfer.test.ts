import { readFile } from 'node:fs/promises'
import { createTroupe } from 'troupe'
import type { Job, JobRecord, Task } from 'troupe'
import { createGateway } from 'troupe/gateway'
import { lowdbStore } from 'troupe/stores/lowdb'
import { postgresStore } from 'troupe/stores/postgres'
import type { Store } from 'troupe'
import { beforeAll, describe, expect, test } from 'vitest'
import { systemEnv } from '../../src/env.ts'
import { leaves } from '../../src/gateway/fleet-protocol.ts'
import { Fold } from '../../src/gateway/fleet/fold.ts'
import { isSettled } from '../../src/records/job.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import { listQuery } from '../../src/testing/records.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { useCommandLine, values } from './command-line.ts'

const { troupe, spawned, inShell, at } = await useCommandLine()
const postgres = usePostgres()
const postgresUrl = `${postgres.url}?schema=${postgres.schema}`

/** Jobs of every kind: waiting, delayed, blocked, settled, and one that was running. */
beforeAll(async () => {
  const troupe = await createTroupe({ store: lowdbStore(at('from.json')) })
  const work = troupe.queue('work', {
    tasks: {
      ok: (job: Job<string>) => job.input,
      bad: () => { throw new Error('no') },
      long: () => new Promise<void>(() => undefined),
    },
  })
  await troupe.start()
  const done = await work.add('ok', 'text', {
    id: 'done', dedupe: { key: 'once', mode: 'throttle', window: '1h' },
  })
  await done.result()
  await (await work.add('bad', undefined, { id: 'failed' })).result().catch(() => undefined)
  await work.add('long', undefined, { id: 'live', retries: 2 })
  await work.pause()
  await work.add('ok', 'a', {
    id: 'ready', priority: 1, retries: 3, timeout: '1m', cancelGrace: '2s', maxStalls: 4,
    backoff: { type: 'exponential', delay: '2s', max: '1m', jitter: 0.5 }, label: 'a label',
    partition: 'ann', meta: { user: 7 }, dedupe: { key: 'k', mode: 'simple' }, ttl: '1h',
  })
  await work.add('ok', 'b', { id: 'delayed', runAt: new Date('2100-01-01') })
  const other = troupe.queue<{ child: Task<{ n: number }, void> }>('another')
  await other.add('child', { n: 1 }, { id: 'child', dependsOn: ['done', 'ready'] })
  await other.add('child', { n: 2 }, {
    id: 'orphan', dependsOn: ['failed'], onParentFailure: 'wait',
  })
  await work.resume()
  await work.pause()
  await troupe.stop({ grace: 0 })
})

test('export writes jobs, the log, and how many there are', async () => {
  const { code, out, errors } = await troupe(['export', '--store', 'file:from.json'])
  expect(code).toBe(0)
  const lines = values(out)
  expect(lines[0]).toEqual({ type: 'troupe-export', version: 2, from: 'file:from.json' })
  const jobs = lines.filter(({ type }) => type === 'job').map(({ job }) => job as JobRecord)
  expect(jobs.map(({ id }) => id))
    .toEqual(['child', 'orphan', 'done', 'failed', 'live', 'ready', 'delayed'])
  expect(jobs[2]).toMatchObject({ state: 'completed', result: 'text' })
  const transitions = lines.filter(({ type }) => type === 'transition')
  expect(transitions.length).toBeGreaterThan(10)
  expect(lines.at(-1)).toEqual({ type: 'end', jobs: 7, transitions: transitions.length })
  expect(errors).toBe(`7 jobs and ${transitions.length} transitions of file:from.json\n`)
  const another = await troupe(['export', 'another', '--no-log', '--store', 'file:from.json'])
  expect(values(another.out).map(({ type }) => type))
    .toEqual(['troupe-export', 'job', 'job', 'end'])
})

/** All of a store's two queues, as a reader of the store sees it. */
async function contentOf(store: Store) {
  await store.open({ env: systemEnv, report: () => undefined })
  try {
    const jobs = new Map<string, JobRecord>()
    const log: Record<string, readonly object[]> = {}
    for (const queue of ['another', 'work']) {
      const { records } = await store.list(listQuery({ queue }))
      for (const record of records) jobs.set(record.id, record)
      const { entries } = await store.readLog(queue, 0, 1e6)
      expect(entries.map(({ seq }) => seq)).toEqual(entries.map((_, index) => index + 1))
      log[queue] = entries.map(({ seq: _, cursor: _1, ...entry }) => entry)
    }
    return { jobs, log, ids: [...jobs.keys()] }
  } finally {
    await store.close()
  }
}

type Content = Awaited<ReturnType<typeof contentOf>>

/** How many jobs each leaf has, as the dashboard makes it out of the log. */
function folded({ log }: Content): readonly number[] {
  const fold = new Fold([])
  for (const entry of Object.values(log).flat()) fold.apply(entry as LogEntry)
  return fold.counts
}

function counted({ jobs }: Content): readonly number[] {
  const all = [...jobs.values()]
  return leaves.map((leaf) => all.filter(({ state, phase }) => (phase ?? state) === leaf).length)
}

/** What is to be found in every copy as it was: settled jobs, and what the log told of them. */
function settledIn({ jobs, log }: Content) {
  const settled = [...jobs.values()].filter((job) => isSettled(job))
  const ids = settled.map(({ id }) => id)
  const told = (queue: string) =>
    log[queue]?.filter((entry) => 'jobId' in entry && ids.includes(String(entry.jobId)))
  return { settled, work: told('work'), another: told('another') }
}

const from = () => lowdbStore(at('from.json'))
const inPostgres = () => postgresStore(postgres.url, { schema: postgres.schema })

describe('everything goes from a lowdb file to PostgreSQL, and into another file', () => {
  const there = `troupe export --store file:from.json | troupe import --store '${postgresUrl}'`
  const back = `troupe export --store '${postgresUrl}' | troupe import --store file:to.json`

  test('with what each import says', async () => {
    for (const line of [there, back]) {
      const { code, out, errors } = await inShell(line)
      expect(out).toMatch(/^added: 5 jobs; carried over: 2 settled jobs, 6 transitions; 0 were /)
      expect(out).toMatch(/there, 0 refused; left: 0 settled jobs, \d+ transitions\n$/)
      expect({ code, errors: errors.split('\n').slice(1) }).toEqual({ code: 0, errors: [''] })
    }
  }, 60_000)

  test.each([
    ['PostgreSQL', inPostgres], ['the other file', () => lowdbStore(at('to.json'))],
  ] as [string, () => Store][])('settled jobs and log are the same in %s', async (_, open) => {
    const before = await contentOf(from())
    const after = await contentOf(open())
    const { settled, work } = settledIn(before)
    expect(settled.map(({ id }) => id)).toEqual(['done', 'failed'])
    expect(settled[0]).toMatchObject({ state: 'completed', result: 'text', attempt: 1 })
    expect(work).toHaveLength(6)
    expect(settledIn(after)).toEqual(settledIn(before))
    expect(folded(after)).toEqual(counted(after))
    // Behind that, the adds of those who wait.
    expect(after.log['work']?.slice(0, 6)).toEqual(work)
    expect(after.log['work']?.slice(6)).toMatchObject(
      ['live', 'ready', 'delayed'].map((jobId) => ({ jobId, event: 'add', by: 'cli' })),
    )
    expect(after.log['another']).toMatchObject(
      ['orphan', 'child'].map((jobId) => ({ jobId, event: 'add', phase: 'blocked' })),
    )
  })

  test('jobs that wait are fresh adds of the same', async () => {
    const { jobs: before } = await contentOf(from())
    const { jobs } = await contentOf(inPostgres())
    const kept = [
      'id', 'queue', 'task', 'input', 'priority', 'label', 'meta', 'partition', 'onParentFailure',
      'options', 'dependsOn',
    ] as const
    for (const [id, job] of jobs) {
      for (const name of kept) expect(job[name], `${id}.${name}`).toEqual(before.get(id)?.[name])
    }
    expect(jobs.get('live')).toMatchObject({ state: 'queued', attempt: 0 })
    expect(jobs.get('ready')).toMatchObject({ dedupe: { key: 'k' }, attempt: 0, phase: 'ready' })
    expect(jobs.get('ready')?.expiresAt).toBeGreaterThan(Date.now())
    expect(jobs.get('delayed')).toMatchObject({ phase: 'delayed', runAt: Date.UTC(2100, 0, 1) })
    expect(jobs.get('child')).toMatchObject({ phase: 'blocked', openParents: 1 })
    expect(jobs.get('orphan')).toMatchObject({ phase: 'blocked', openParents: 1 })
  })

  test('once more, as after a cut: nothing is there twice', async () => {
    const before = await contentOf(inPostgres())
    const { code, out } = await inShell(there)
    expect(out).toMatch(/^added: 0 jobs; carried over: 0 settled jobs, 6 transitions; 7 were there/)
    expect(code).toBe(0)
    expect(await contentOf(inPostgres())).toEqual(before)
  }, 60_000)

  test('there the jobs run on: dependents find their parents, keys of dedupe hold', async () => {
    const troupe = await createTroupe({ store: lowdbStore(at('to.json')) })
    const work = troupe.queue('work', { tasks: { ok: (job: Job<string>) => job.input } })
    const seen: unknown[] = []
    const other = troupe.queue('another', {
      tasks: {
        child: (job: Job<{ n: number }>) => {
          for (const parent of job.parents) seen.push([parent.id, parent.result])
        },
      },
    })
    await troupe.start()
    await work.resume()
    await other.job('child').result()
    expect(seen).toEqual([['done', 'text'], ['ready', 'a']])
    const again = await work.add('ok', 'b', {
      dedupe: { key: 'once', mode: 'throttle', window: '1h' },
    })
    expect([again.id, again.foundIn]).toEqual(['done', 'completed'])
    await troupe.stop()
  }, 60_000)
})

test('what a job was told of before it waits again, and a trimmed log', async () => {
  const { out } = await troupe(['export', '--store', 'file:from.json'])
  const lines = out.split('\n')
  const trimmed = lines.filter((line) => !/"jobId":"done".*"event":"add"/.test(line)).join('\n')
  const { code, errors } = await spawned(['import', '--store', 'file:trimmed.json'], {
    input: trimmed,
  })
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  const content = await contentOf(lowdbStore(at('trimmed.json')))
  const { log, jobs } = content
  expect(log['work']?.map((entry) => 'jobId' in entry && entry.jobId))
    .toEqual(['failed', 'failed', 'failed', 'live', 'ready', 'delayed'])
  expect(jobs.get('done')).toMatchObject({ state: 'completed' })
  // One that was there before the log began.
  expect(folded(content)).toEqual(counted(content).map((count, place) =>
    (leaves[place] === 'completed' ? 0 : count)))
})

test('a gateway takes the jobs that wait, and the import says what it does not take', async () => {
  const target = await createTroupe()
  for (const name of ['work', 'another']) target.queue(name)
  const gateway = createGateway(target)
  const { url } = await gateway.listen({ port: 0 })
  const { out } = await troupe(['export', '--store', 'file:from.json'])
  const { code, out: said, errors } = await spawned(['import', '--json', '--url', url], {
    input: out,
  })
  expect(errors).toContain('no gateway takes settled jobs and the log')
  expect(errors).toContain('the job orphan was left: it depends on failed')
  const [figures] = values(said)
  expect(figures).toMatchObject({
    added: 4, settled: 0, refused: 1, transitions: 0, left: { jobs: 2 },
  })
  expect(code).toBe(1)
  // The parent that had completed is no parent there.
  const [child] = await target.queue('another').list().then(({ jobs }) => jobs)
  expect(child).toMatchObject({ id: 'child', phase: 'blocked', dependsOn: ['ready'] })
  await gateway.close()
  await target.stop()
})

test('a log stays as it is where there is one', async () => {
  await troupe(['add', 'work', 'ok', '"mine"', '--id', 'mine', '--store', 'file:used.json'])
    .then(({ errors }) => { expect(errors).toBe('') })
  const { out } = await troupe(['export', '--store', 'file:from.json'])
  const { code, out: said, errors } = await spawned(
    ['import', '--json', '--store', 'file:used.json'], { input: out },
  )
  expect(code).toBe(0)
  expect(errors).toBe('troupe: the log of queue work was left: the target has one of its own\n')
  expect(values(said)).toMatchObject([{ added: 5, settled: 2, transitions: 0 }])
  const { log, ids } = await contentOf(lowdbStore(at('used.json')))
  expect(ids).toContain('done')
  expect(log['work']?.map((entry) => 'jobId' in entry && entry.jobId))
    .toEqual(['mine', 'live', 'ready', 'delayed'])
})

test('a dry run adds nothing; what is no export, or half of one, is told', async () => {
  const { out } = await troupe(['export', '--store', 'file:from.json'])
  const load = (input: string, ...args: string[]) =>
    spawned(['import', '--store', 'memory:', '--json', ...args], { input })
  const head = out.split('\n')[0] ?? ''
  const [dry, half, nothing, headless, broken, newer] = await Promise.all([
    load(out, '--dry-run'), load(out.split('\n').slice(0, 4).join('\n')), load(''),
    load('{"type":"job"}\n'), load(`${head}\n{"type":"job","job":{"id":"a"}}\n`),
    load(head.replace('"version":2', '"version":1')),
  ])
  expect(values(dry.out)).toMatchObject([
    { dryRun: true, added: 5, settled: 2, refused: 0, transitions: 6 },
  ])
  expect(half).toMatchObject({
    code: 1, errors: expect.stringContaining('the export was cut short') as string,
  })
  expect(nothing).toMatchObject({ code: 2 })
  expect(headless).toMatchObject({
    code: 2,
    errors: 'troupe: line 1 is no line of an export: the first one must be of the type ' +
      'troupe-export\n',
  })
  expect(broken).toMatchObject({
    code: 2,
    errors: 'troupe: line 2 is no line of an export: job.queue is missing or makes no sense\n',
  })
  expect(newer).toMatchObject({ code: 2 })
}, 60_000)

test('an export leaves its store as it was', async () => {
  const before = await readFile(at('from.json'), 'utf8')
  await troupe(['export', '--store', 'file:from.json'])
  expect(await readFile(at('from.json'), 'utf8')).toBe(before)
})
