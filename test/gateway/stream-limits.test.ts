import { describe, expect, test } from 'vitest'
import { hold } from '../support/stage.ts'
import { useStand } from './stand.ts'

const stand = useStand()

describe('a stream', () => {
  test('is refused when there are too many, of all and of one user', async () => {
    const url = await stand.listen({
      limits: { streams: 3, streamsPerUser: 2 },
      authorize: ({ headers }) => ({ user: headers.get('x-user') ?? 'nobody' }),
    })
    const status = async (user: string): Promise<number> => {
      const stream = await stand.stream(`${url}/v1/stream`, { 'x-user': user })
      if (stream.response.ok) await stream.take(1)
      return stream.response.status
    }
    expect([await status('a'), await status('a'), await status('a')]).toEqual([200, 200, 429])
    expect([await status('b'), await status('c')]).toEqual([200, 429])
  })

  test('counts as one of many together with those of the fleet', async () => {
    const url = await stand.listen({
      limits: { streams: 3, streamsPerUser: 2 },
      authorize: ({ headers }) => ({ user: headers.get('x-user') ?? 'nobody' }),
    })
    const status = async (path: string, user: string): Promise<number> => {
      const stream = await stand.stream(`${url}${path}`, { 'x-user': user })
      if (stream.response.ok) await stream.take(1)
      return stream.response.status
    }
    expect(await status('/v1/fleet/stream', 'a')).toBe(200)
    expect([await status('/v1/stream', 'a'), await status('/v1/stream', 'a')]).toEqual([200, 429])
    expect(await status('/v1/fleet/stream', 'b')).toBe(200)
    expect([await status('/v1/stream', 'b'), await status('/v1/stream', 'c')]).toEqual([429, 429])
  })

  test('has no more beside it, however many come at once', async () => {
    const { promise, release } = hold()
    let asked = 0
    const url = await stand.listen({
      limits: { streams: 3 },
      authorize: async () => {
        asked += 1
        await promise
        return { user: 'ann' }
      },
    })
    const opening = Array.from({ length: 12 }, () => stand.stream(`${url}/v1/stream`))
    await expect.poll(() => asked).toBe(12)
    release()
    const events = await Promise.all((await Promise.all(opening)).map(async (stream) =>
      (stream.response.ok ? (await stream.next())?.event : 'refused')))
    expect(events.filter((event) => event === 'queue.keyframe')).toHaveLength(3)
    expect(events).not.toContain(undefined)
  })
})
