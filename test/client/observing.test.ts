import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { firstValueFrom, from, take, toArray } from 'rxjs'
import type { TasksOf } from 'troupe'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectTo, serveImages } from './gateway-fixture.ts'
import type { Images } from './gateway-fixture.ts'
import type { RemoteTransition } from '../../src/client/remote-queue.ts'
import type { RemoteStream } from '../../src/client/remote-stream.ts'

/** The first transitions of a stream, and the moment when it listens. */
function first(stream: RemoteStream<RemoteTransition>, count: number) {
  return firstValueFrom(from(stream).pipe(take(count), toArray()))
}

const events = (transitions: readonly RemoteTransition[]): string[] =>
  transitions.map(({ jobId, event }) => `${jobId} ${event}`)

describe('observe', () => {
  test('from the start, from a cursor, and by task, state, job, partition and meta', async () => {
    const { client, images } = await serveImages()
    const both = [['a', { partition: 'p' }], ['b', { meta: { shop: 'x' } }]] as const
    for (const [id, options] of both) {
      await (await images.add('nothing', undefined, { id, ...options })).result()
    }
    await (await images.add('resize', { file: 'c', width: 1 }, { id: 'c' })).result()
    const all = await first(client.observe({ from: 'start' }), 9)
    expect(events(all)).toEqual(['a', 'b', 'c'].flatMap((id) =>
      ['add', 'claim', 'complete'].map((event) => `${id} ${event}`)))
    const rest = await first(client.observe({ from: all[5]?.cursor ?? '' }), 3)
    expect(events(rest)).toEqual(['c add', 'c claim', 'c complete'])
    const some = async (filter: object) =>
      events(await first(client.observe({ from: 'start', ...filter }), 1))
    expect(await some({ task: 'resize', state: 'running' })).toEqual(['c claim'])
    expect(await some({ job: ['c', 'b'], state: 'completed' })).toEqual(['b complete'])
    expect(await some({ partition: 'p' })).toEqual(['a add'])
    expect(await some({ meta: { shop: 'x' } })).toEqual(['b add'])
  })

  test('from now on: nothing of before, also when the stream is widened for it', async () => {
    const { client, images, troupe } = await serveImages()
    const mails = troupe.queue('mails', { tasks: { send: () => 'sent' } })
    const quiet = await images.add('nothing', undefined, { delay: '1h', id: 'quiet' })
    // The shared stream listens for one job alone, and its place in the log grows old.
    await firstValueFrom(from(client.queue('images').job(quiet.id).state$).pipe(take(1)))
    const keep = client.queue('images').job(quiet.id).state$.subscribe(() => undefined)
    await (await images.add('nothing', undefined, { id: 'before' })).result()
    await (await mails.add('send', undefined, { id: 'mail before' })).result()
    const seen: RemoteTransition[] = []
    const enough = new Promise<void>((resolve) => {
      client.observe({ queue: ['images', 'mails'] }).subscribe((transition) => {
        seen.push(transition)
        if (transition.jobId.startsWith('end')) resolve()
      })
    })
    // Its place is made in a moment; what is added from then on is heard.
    while (seen.length === 0) await (await mails.add('send')).result()
    await (await images.add('nothing', undefined, { id: 'end' })).result()
    await enough
    expect(seen.map(({ jobId }) => jobId)).not.toContain('before')
    expect(seen.map(({ jobId }) => jobId)).not.toContain('mail before')
    keep.unsubscribe()
  })

  test('a gap ends it with an error, or is told to onGap', async () => {
    const streams: ServerResponse[] = []
    const frame = (why: string): string =>
      `event: queue.keyframe\nid: q:${streams.length}\ndata: {"why":"${why}","counts":{}}\n\n`
    const server = createServer((_request, response) => {
      streams.push(response)
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(frame('opened'))
      response.write(frame('fell-behind'))
    })
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const client = connectTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    const why = await new Promise((resolve) => {
      client.observe({ onGap: resolve }).subscribe(() => undefined)
    })
    expect(why).toBe('fell-behind')
    const error = await new Promise((resolve) => {
      client.observe({ queue: 'q', partition: 'own' }).subscribe({ error: resolve })
    })
    expect(error).toMatchObject({ code: 'missed-transitions', details: { why: 'fell-behind' } })
  })

  test('an observer that throws hurts nobody else', async () => {
    const { client } = await serveImages()
    const images = client.queue<TasksOf<Images>>('images')
    const told: unknown[] = []
    const { error } = console
    console.error = (problem: unknown) => { told.push(problem) }
    onTestFinished(() => { console.error = error })
    const job = await images.add('nothing')
    job.state$.subscribe(() => { throw new Error('mine') })
    expect(await job.result()).toBeNull()
    expect(told).toContainEqual(new Error('mine'))
  })
})
