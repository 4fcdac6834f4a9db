import { describe, expect, test } from 'vitest'
import type { WireFleetOpened, WireFrame } from '../../src/gateway/fleet-protocol.ts'
import { leaves } from '../../src/gateway/fleet-protocol.ts'
import { readExport } from '../../src/gateway/fleet/recording.ts'
import { fleetCharts } from '../../src/gateway/fleet/chart.ts'
import { createGateway } from '../../src/gateway/gateway.ts'
import { useStage } from '../support/stage.ts'
import { codeOf, get, useStand } from './stand.ts'
import type { EventReader } from './stand.ts'

const stand = useStand()
const virtual = useStage()
const token = 'a-token-of-sixteen-or-more'
const edgeIds = fleetCharts.job.edges.map(({ id }) => id)

interface Moment {
  readonly kept: boolean
  readonly keptFrom: number
  readonly counts: readonly number[]
}
type Figures = Readonly<Record<string, number>>

function byLeaf(counts: readonly number[]): Figures {
  return Object.fromEntries(leaves.map((leaf, place) => [leaf, counts[place] ?? 0] as const)
    .filter(([, count]) => count !== 0))
}

function byEdge(edges: WireFrame['edges']): Figures {
  return Object.fromEntries(edges.map(([edge, times]) => [edgeIds[edge] ?? '?', times]))
}

async function open(url: string, query = '', user?: string): Promise<{
  readonly stream: EventReader
  readonly opened: WireFleetOpened
}> {
  const headers: Record<string, string> = user === undefined ? {} : { 'x-user': user }
  const stream = await stand.stream(`${url}/v1/fleet/stream${query}`, headers)
  const [event] = await stream.take(1)
  expect(event?.event).toBe('fleet.opened')
  return { stream, opened: event?.data as unknown as WireFleetOpened }
}

/** Reads frames until the counts are these; answers all edges taken meanwhile. */
async function until(stream: EventReader, wanted: Figures): Promise<Figures> {
  const taken = new Map<number, number>()
  for (;;) {
    const event = await stream.next()
    if (!event) throw new Error('the stream ended')
    if (event.event !== 'fleet.frame') continue
    const frame = event.data as unknown as WireFrame
    for (const [edge, times] of frame.edges) taken.set(edge, (taken.get(edge) ?? 0) + times)
    if (JSON.stringify(byLeaf(frame.counts)) === JSON.stringify(wanted)) return byEdge([...taken])
  }
}

const later = { delay: '1h' } as const

describe('the stream of the fleet', () => {
  test('opens with what is there, and tells what moves', async () => {
    const url = await stand.listen()
    await stand.photos.add('resize', 1, { ...later, id: 'a' })
    await stand.mail.add('resize', 1, { id: 'b' })
    const { stream, opened } = await open(url)
    expect(opened).toMatchObject({
      queues: ['photos', 'mail'], edges: edgeIds, isBounded: false, hasHistory: true,
    })
    expect(byLeaf(opened.counts)).toEqual({ ready: 1, delayed: 1 })
    expect(opened.lines.map((line) => line.slice(0, 3))).toEqual([[0, 1, 0], [1, 1, 0]])
    expect(opened.lines[1]?.[4]).toEqual(expect.any(Number))
    await stand.photos.cancel('a')
    await stand.photos.addMany([1, 2, 3].map((n) => ({ task: 'fail', id: `f${n}`, input: n })))
    await stand.troupe.start()
    const taken = await until(stream, { completed: 1, failed: 3, cancelled: 1 })
    expect(taken).toEqual({
      'queued-cancelled-cancel': 1, 'start-queued-add': 3, 'ready-running-claim': 4,
      'running-failed-fail': 3, 'running-completed-complete': 1,
    })
  })

  test('is filtered by queue, task and partition', async () => {
    const url = await stand.listen()
    await stand.photos.addMany(['p', 'p', 'q'].map((partition, n) =>
      ({ task: n === 0 ? 'report' : 'resize', id: `j${n}`, input: 1, partition, ...later })))
    await stand.mail.add('report', 1, later)
    const counts = async (query: string): Promise<Figures> =>
      byLeaf((await open(url, query)).opened.counts)
    expect(await counts('?queue=mail')).toEqual({ delayed: 1 })
    expect(await counts('?task=report')).toEqual({ delayed: 2 })
    expect(await counts('?task=report,resize')).toEqual({ delayed: 4 })
    expect(await counts('?partition=p')).toEqual({ delayed: 2 })
    expect(await counts('?partition=p&task=resize')).toEqual({ delayed: 1 })
    const { stream } = await open(url, '?partition=p')
    await stand.photos.add('resize', 1, { partition: 'q', id: 'other' })
    await stand.photos.add('resize', 1, { partition: 'p', id: 'own' })
    await stand.photos.cancel('j1')
    expect(await until(stream, { ready: 1, delayed: 1, cancelled: 1 })).toEqual({
      'start-queued-add': 1, 'queued-cancelled-cancel': 1,
    })
    for (const query of ['?tasks=a', '?queue=none', '?task=']) {
      expect((await get(url, `/v1/fleet/stream${query}`)).status).toBeGreaterThanOrEqual(400)
    }
  })

  test('of a user with a scope counts their own jobs only, and nothing of the past', async () => {
    const url = await stand.withUsers({
      ada: { scope: { partition: 'ada' } },
      none: { can: () => false },
      add: { can: (action) => action === 'add' },
      mail: { can: (action, queue) => action === 'read' && queue === 'mail' },
    })
    await stand.photos.addMany(['ada', 'eve', 'eve'].map((partition, n) =>
      ({ task: 'resize', id: `j${n}`, input: 1, partition, ...later })))
    await stand.photos.add('fail', 1, { partition: 'eve', id: 'lost' })
    const { stream, opened } = await open(url, '', 'ada')
    expect(byLeaf(opened.counts)).toEqual({ delayed: 1 })
    expect(opened.hasHistory).toBe(false)
    expect(opened.keptFrom).toBeNull()
    expect(opened.lines.map((line) => line.slice(0, 5)))
      .toEqual([[0, 1, 0, 0, null], [1, 0, 0, 0, null]])
    await stand.photos.cancel('j1')
    await stand.photos.cancel('j0')
    expect(await until(stream, { cancelled: 1 })).toEqual({ 'queued-cancelled-cancel': 1 })
    for (const path of ['at', 'series', 'export']) {
      expect(codeOf(await get(url, `/v1/fleet/${path}`, 'ada'))).toBe('forbidden')
    }
    const taken = await get(url, '/v1/fleet/traversals?edge=queued-cancelled-cancel', 'ada')
    expect(taken.json['transitions']).toMatchObject([{ jobId: 'j0' }])
    expect((await open(url, '', 'none')).opened.queues).toEqual([])
    expect((await open(url, '', 'mail')).opened.queues).toEqual(['mail'])
    expect(codeOf(await get(url, '/v1/fleet/stream?queue=photos', 'add'))).toBe('forbidden')
    expect(codeOf(await get(url, '/v1/fleet/at?queue=photos', 'add'))).toBe('forbidden')
    expect(codeOf(await get(url, '/v1/fleet/at?queue=photos', 'mail'))).toBe('unknown-queue')
    expect((await get(url, '/v1/fleet/charts')).status).toBe(401)
  })

  test('tells ages, pauses and queues that are declared later', async () => {
    const url = await stand.listen()
    await stand.photos.add('resize', 1, later)
    const { stream, opened } = await open(url)
    expect(opened.lines[0]?.[5]).toBe(0)
    await stand.photos.pause()
    stand.troupe.queue('reports')
    let ages: unknown
    let paused: unknown
    for (let known = 0; known < 3;) {
      const event = await stream.next()
      if (event?.event === 'fleet.ages') ages = event.data['ages']
      const lines = event?.data['lines'] as WireFleetOpened['lines'] | undefined
      paused = lines?.find(([place]) => place === 0)?.[5] ?? paused
      const queues = event?.event === 'fleet.opened' ? event.data['queues'] : []
      known = Math.max(known, (queues as readonly string[]).length)
    }
    expect((ages as unknown[])[leaves.indexOf('delayed')])
      .toEqual([expect.any(Number), expect.any(Number)])
    expect(paused).toBe(1)
  })

  test('ends with the gateway', async () => {
    const gateway = stand.gateway()
    const { url } = await gateway.listen({ port: 0 })
    const { stream } = await open(url)
    const closing = gateway.close()
    for (let event = await stream.next(); event; event = await stream.next()) {
      if (event.event === 'fleet.closing') expect(event.data['retryMs']).toBe(1000)
    }
    await closing
  })
})

describe('the past', () => {
  test('is shown as it was, and exported so that a page shows the same', async () => {
    const url = await stand.listen()
    await stand.photos.add('resize', 1, { ...later, id: 'a' })
    await stand.mail.add('fail', 1, { id: 'f' })
    await stand.troupe.start()
    await stand.mail.job('f').result().catch(() => undefined)
    await stand.photos.cancel('a')
    await stand.mail.retry('f')
    await stand.mail.idle()
    const lines: string[] = []
    const whole = await get(url, '/v1/fleet/export')
    expect(whole.headers['content-type']).toBe('application/x-ndjson')
    lines.push(...whole.text.trim().split('\n'))
    expect(lines.length).toBe(9)
    const { recording, fault } = readExport(lines, fleetCharts.job.edges)
    expect(fault).toBeNull()
    const times = lines.slice(1).map((line) => (JSON.parse(line) as { at: number }).at)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    for (const time of new Set(times)) {
      const { json } = await get(url, `/v1/fleet/at?time=${time}`)
      const here = recording.moment(time)
      expect(json['counts']).toEqual(here.counts)
      expect(json['edges']).toEqual(here.edges)
      expect([json['previous'], json['next']]).toEqual([here.previous, here.next])
    }
    const { json } = await get(url, '/v1/fleet/at')
    expect(byLeaf(json['counts'] as number[])).toEqual({ failed: 1, cancelled: 1 })
    expect(lines.find((line) => line.includes('"event":"cancel"'))).toContain('"left":"delayed"')
    const series = await get(url, '/v1/fleet/series?points=4')
    expect((series.json['failed'] as number[]).reduce((a, b) => a + b, 0)).toBe(2)
  })

  test('that the log has lost is not kept, and the rest is as it was', async () => {
    const { env } = virtual
    const troupe = await virtual.open()
    const kept = troupe.queue('kept', {
      tasks: { quick: (): null => null }, retention: { log: 400 }, concurrency: 1,
    })
    const gateway = createGateway(troupe, { token, env })
    const ask = async (query: string): Promise<Moment> => {
      const response = await virtual.drive(gateway.fetch(new Request(
        `http://a.test/v1/fleet/at?queue=kept${query}`,
        { headers: { authorization: `Bearer ${token}` } },
      )))
      return await response.json() as Moment
    }
    const then = env.now()
    await virtual.drive(kept.add('quick'))
    expect(await ask(`&time=${then}`)).toMatchObject({
      kept: true, counts: [1, 0, 0, 0, 0, 0, 0, 0],
    })
    await virtual.drive(troupe.start())
    const known = new Map<number, readonly number[]>()
    for (let round = 0; round < 15; round += 1) {
      await virtual.drive(kept.addMany(Array.from({ length: 20 }, () =>
        ({ task: 'quick' as const }))))
      await virtual.drive(kept.idle())
      const counts = await kept.counts()
      known.set(env.now(), leaves.map((leaf) => counts[leaf]))
      await env.advance(10_000)
      await ask('')
    }
    expect(await ask(`&time=${then}`)).toMatchObject({
      kept: false, time: then, keptFrom: expect.any(Number),
    })
    const { keptFrom } = await ask(`&time=${then}`)
    let compared = 0
    for (const [time, counts] of known) {
      const moment = await ask(`&time=${time}`)
      expect(moment.kept).toBe(time >= keptFrom)
      if (moment.kept) expect(moment.counts, String(time)).toEqual(counts)
      compared += moment.kept ? 1 : 0
    }
    expect(compared).toBeGreaterThan(3)
    expect(compared).toBeLessThan(known.size)
    await virtual.drive(gateway.close())
  })

  test('of an edge and of failures is found, the newest first', async () => {
    const url = await stand.listen()
    for (const id of ['x', 'y']) {
      await stand.mail.add('fail', 1, { id })
      await stand.troupe.start()
      await stand.mail.job(id).result().catch(() => undefined)
    }
    const failures = await get(url, '/v1/fleet/failures?limit=5')
    expect(failures.json).toMatchObject({
      kept: 2,
      failures: [
        { id: 'y', queue: 'mail', task: 'fail', reason: 'error', error: { message: 'no picture' } },
        { id: 'x' },
      ],
    })
    const path = '/v1/fleet/traversals?edge=running-failed-fail'
    const { json } = await get(url, path)
    expect(json['transitions']).toMatchObject([{ jobId: 'y' }, { jobId: 'x' }])
    expect(json['stoppedAt']).toBeNull()
    expect((await get(url, `${path}&limit=1`)).json['transitions']).toMatchObject([{ jobId: 'y' }])
    const wrong = await get(url, '/v1/fleet/traversals?edge=nowhere')
    expect(codeOf(wrong)).toBe('invalid-option')
  })
})
