import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createTroupe } from 'troupe'
import type { TasksOf } from 'troupe'
import { connect } from 'troupe/client'
import type { Client } from 'troupe/client'
import { lowdbStore } from 'troupe/stores/lowdb'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { makeNextApp } from './next-app.ts'
import { resize } from './next/resize.ts'

const headers = { 'x-key': 'let me in' }
const made = await makeNextApp()
const app = made as NonNullable<typeof made> // where there is none, no test runs
afterAll(() => { made?.remove() })

/** The store of the app, while no Next has it. */
async function openStore() {
  mkdirSync(app.at('data'), { recursive: true })
  const troupe = await createTroupe({ store: lowdbStore(app.at('data/jobs.json')) })
  return { troupe, photos: troupe.queue('photos', { tasks: { resize } }) }
}

type Photos = Awaited<ReturnType<typeof openStore>>['photos']

function clientOf(url: string): Client {
  const client = connect(`${url}/jobs`, { headers, retry: { delay: 10, maxDelay: 50 } })
  onTestFinished(() => { client.close() })
  return client
}

const openGate = (gate: string): void => { writeFileSync(gate, '') }
/** The runs of the jobs that wait at a gate. */
const runsAt = (gate: string): string =>
  (existsSync(`${gate}.runs`) ? readFileSync(`${gate}.runs`, 'utf8') : '')

async function untilUrl(next: ReturnType<typeof app.next>): Promise<string> {
  await expect.poll(() => next.url(), { timeout: 60_000 }).toBeDefined()
  return next.url() as string
}

/** Until its stream stands: what happens from here on, it hears. */
async function untilOpen(client: Client): Promise<void> {
  for await (const connection of client.connection$) if (connection === 'open') return
}

describe.skipIf(made === null)('the app of the docs on Next', () => {
  test('works from its start on, and keeps one troupe through reloads', async () => {
    const before = await openStore()
    openGate(app.at('early'))
    await before.photos.add('resize', { file: 'early.jpg', gate: app.at('early') })
    await before.troupe.stop()

    const next = app.next(['dev', '--port', '0', '--hostname', '127.0.0.1'])
    onTestFinished(() => next.stop())
    // Nobody has asked for anything so far.
    await expect.poll(() => runsAt(app.at('early')), { timeout: 60_000 }).toBe('attempt 1\n')

    const client = clientOf(await untilUrl(next))
    const events: string[] = []
    const watched = client.observe({ queue: 'photos' }).subscribe(({ jobId, event }) => {
      if (jobId === 'j1') events.push(event)
    })
    onTestFinished(() => { watched.unsubscribe() })
    await untilOpen(client)
    const input = { file: 'a.jpg', gate: app.at('gate') }
    const job = await client.queue<TasksOf<Photos>>('photos').add('resize', input, { id: 'j1' })
    await expect.poll(() => runsAt(input.gate), { timeout: 60_000 }).toBe('attempt 1\n')
    const workers = (await client.workers()).map(({ worker }) => worker)

    app.edit('resize.ts', (text) => text.replace('@800', '@900'))
    app.edit('jobs.ts', (text) => `${text}\nconsole.log('the jobs came again')\n`)
    app.edit('app/jobs/[[...path]]/route.ts', (text) =>
      `${text}\nconsole.log('the route came again')\n`)
    await expect.poll(async () => {
      await client.hello()
      return ['the jobs came again', 'the route came again'].every((line) =>
        next.output.includes(line))
    }, { timeout: 60_000 }).toBe(true)

    openGate(input.gate)
    expect(await job.result({ timeout: '60s' })).toBe('a.jpg@800')
    // The troupe that is open has the tasks that it was opened with.
    const later = await client.queue<TasksOf<Photos>>('photos').add('resize', input)
    expect(await later.result({ timeout: '60s' })).toBe('a.jpg@800')
    expect(runsAt(input.gate)).toBe('attempt 1\nattempt 1\n')
    expect(events).toEqual(['add', 'claim', 'complete'])
    expect((await client.workers()).map(({ worker }) => worker)).toEqual(workers)
    expect(workers).toHaveLength(1)

    const page = await fetch(`${next.url() ?? ''}/jobs`, { headers })
    expect([page.url, page.status]).toEqual([`${next.url() ?? ''}/jobs/`, 200])
    expect(page.headers.get('content-type')).toContain('text/html')
    expect(next.output).not.toMatch(/⨯|error/i)
  }, 240_000)

  test('does not work while it is built, and ends in order', async () => {
    const before = await openStore()
    const waits = { file: 'waits.jpg', gate: app.at('waits') }
    const waiting = await before.photos.add('resize', waits)
    await before.troupe.stop()
    const building = app.next(['build'])
    expect(await building.ended, building.output).toBe(0)
    expect(runsAt(waits.gate)).toBe('')

    const next = app.next(['start', '--port', '0', '--hostname', '127.0.0.1'], {
      NEXT_MANUAL_SIG_HANDLE: 'true',
    })
    onTestFinished(() => next.stop())
    const client = clientOf(await untilUrl(next))
    const input = { file: 'b.jpg', gate: app.at('last') }
    const job = await client.queue<TasksOf<Photos>>('photos').add('resize', input)
    const connections: string[] = []
    client.connection$.subscribe((connection) => { connections.push(connection) })
    job.state$.subscribe({ next: () => undefined, error: () => undefined })
    await untilOpen(client)
    for (const { gate } of [input, waits]) {
      await expect.poll(() => runsAt(gate), { timeout: 60_000 }).toBe('attempt 1\n')
    }

    next.child.kill('SIGTERM')
    await expect.poll(() => connections.at(-1), { timeout: 60_000 }).toBe('lost')
    openGate(input.gate)
    openGate(waits.gate)
    expect(await next.ended, next.output).toBe(0)
    const after = await openStore()
    expect(await after.photos.get(job.id)).toMatchObject({
      state: 'completed', attempt: 1, stalls: 0, result: expect.stringMatching(/^b\.jpg@/),
    })
    expect((await after.photos.get(waiting.id))?.state).toBe('completed')
    await after.troupe.stop()
  }, 240_000)
})
