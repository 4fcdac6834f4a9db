import { describe, expect, test } from 'vitest'
import type { WireAudit } from '../../src/gateway/gateway.ts'
import { ask, codeOf, get, post, useStand } from './stand.ts'

const stand = useStand()
const jobs = '/v1/queues/photos/jobs'

async function linesAt(url: string, user?: string): Promise<readonly WireAudit[]> {
  return (await get(url, '/v1/audit', user)).json['lines'] as readonly WireAudit[]
}

describe('the audit trail', () => {
  test('keeps the newest 1,000 lines, and the oldest leave', async () => {
    const sunk: WireAudit[] = []
    const url = await stand.listen({
      audit: (line) => { sunk.push(line) }, limits: { requestsPerSecond: 100_000 },
    })
    const cancel = (index: number) => post(url, `${jobs}/j${index}/cancel`)
    for (let index = 0; index < 1000; index += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, at) => cancel(index + at)))
    }
    expect((await linesAt(url)).map(({ jobId }) => jobId)).toEqual(sunk.map(({ jobId }) => jobId))
    for (let index = 1000; index < 1003; index += 1) await cancel(index)
    const lines = await linesAt(url)
    expect(lines).toHaveLength(1000)
    expect(lines).toEqual(sunk.slice(3))
    expect(lines.at(-1)).toMatchObject({ jobId: 'j1002', outcome: 'unknown' })
  })

  test('is for those who may audit, and for nobody else', async () => {
    const url = await stand.withUsers({
      boss: { can: (action, queue) => action === 'audit' && queue === null },
      operator: { can: (action) => action !== 'audit' },
      scoped: { can: () => true, scope: { partition: 'p' } },
    })
    await post(url, `${jobs}/j1/cancel`, {}, 'operator')
    for (const user of ['operator', 'scoped']) {
      const answer = await get(url, '/v1/audit', user)
      expect([answer.status, codeOf(answer)], user).toEqual([403, 'forbidden'])
    }
    expect((await get(url, '/v1/audit')).status).toBe(401)
    expect(await linesAt(url, 'boss')).toMatchObject([{ user: 'operator', action: 'cancel' }])
  })

  test('holds nothing of what was sent, and no secret that stood in a path', async () => {
    const url = await stand.listen()
    const secret = 'hunter2-XYZ'
    const input = { password: secret, note: secret }
    await post(url, jobs, { task: 'resize', input, options: { id: 'j1', label: secret } })
    await post(url, `${jobs}/j1/cancel`, { reason: `password=${secret}` })
    await post(url, jobs, { task: `password=${secret}` })
    await post(url, '/v1/queues/photos/clean', { filter: { text: secret } })
    await post(url, `${jobs}/password=${secret}/cancel`)
    await post(url, `/v1/queues/token=${secret}/pause`)
    await ask(url, 'PUT', '/v1/queues/photos/schedules/s', {
      body: { every: '1h', task: 'resize', input },
    })
    const { text } = await get(url, '/v1/audit')
    expect(text).not.toContain(secret)
    expect((await linesAt(url)).map(({ queue, jobId, action }) => [queue, jobId, action])).toEqual([
      ['photos', 'j1', 'add'], ['photos', 'j1', 'cancel'], ['photos', null, 'add'],
      ['photos', null, 'clean'], ['photos', 'password=[redacted]', 'cancel'],
      ['token=[redacted]', null, 'pause'], ['photos', null, 'schedule'],
    ])
  })

  test('has short lines of one line each', async () => {
    const url = await stand.listen()
    await post(url, `${jobs}/${'x'.repeat(500)}/cancel`)
    await post(url, `${jobs}/a%0Ab%1B%5B31m/cancel`)
    const [long, split] = await linesAt(url)
    expect(long?.jobId).toBe('x'.repeat(128))
    expect(split?.jobId).toBe('a?b?[31m')
  })
})
