import { expect, test, vi } from 'vitest'
import { codeOf, get, post, useStand } from './stand.ts'

vi.mock('prom-client', () => {
  throw Object.assign(new Error("Cannot find package 'prom-client'"), {
    code: 'ERR_MODULE_NOT_FOUND',
  })
})

const stand = useStand()

test('a missing prom-client is named with the command, and nothing else needs it', async () => {
  const url = await stand.listen()
  for (let again = 0; again < 2; again += 1) {
    const answer = await get(url, '/metrics')
    expect([answer.status, codeOf(answer)]).toEqual([501, 'missing-package'])
    expect(answer.json['error']).toMatchObject({
      message: 'metrics need the package prom-client: npm install prom-client',
      details: { package: 'prom-client' },
    })
    expect(stand.takeLines()).toEqual(['a request to the gateway failed'])
  }
  const add = await post(url, '/v1/queues/photos/jobs', { task: 'resize' })
  expect(add.status).toBe(201)
  const stream = await stand.stream(`${url}/v1/stream?from=start`)
  expect((await stream.take(1))[0]?.data['event']).toBe('add')
  expect((await get(url, '/ready')).status).toBe(200)
})
