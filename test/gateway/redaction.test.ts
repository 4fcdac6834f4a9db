import fc from 'fast-check'
import type { Job } from 'troupe'
import { describe, expect, test } from 'vitest'
import { redactText } from '../../src/gateway/redaction.ts'
import { runs } from '../../src/testing/runs.ts'
import { get, post, useStand } from './stand.ts'

const stand = useStand()
const jobs = '/v1/queues/photos/jobs'

describe('by default', () => {
  test('nothing of a secret leaves, in whatever part of a job', async () => {
    const url = await stand.listen()
    const secret = 'hunter2-XYZ'
    const input = {
      password: secret, userPassword: secret, db_passwd: secret, clientSecret: secret,
      accessToken: secret, token: { value: secret }, Authorization: `Bearer ${secret}`,
      cookie: [secret], key: secret, apiKey: secret, 'x-api-key': secret, privateKey: secret,
      deep: [{ deeper: { 'api_key': secret } }], url: `https://user:${secret}@host/`,
      text: `curl -H "Authorization: Bearer ${secret}" and password=${secret}`,
      query: `a=1&token=${secret}&b=2`, pin: 1234,
    }
    await stand.troupe.start()
    const tail = await stand.stream(`${url}/v1/stream`)
    await tail.take(1)
    const queue = stand.troupe.queue('leaky', {
      tasks: {
        leak: (job: Job<unknown>) => {
          job.log(`password: ${secret}`)
          job.progress({ current: 1, message: `token=${secret}` })
          if (job.attempt < 9) {
            throw new Error(`refused: Bearer ${secret}`, { cause: new Error(`pwd=${secret}`) })
          }
        },
      },
    })
    const stream = await stand.stream(`${url}/v1/stream?queue=leaky`)
    await stream.take(1)
    const { id } = await queue.add('leak', input, {
      id: 'leak', label: `password=${secret}`, meta: { apiKey: secret },
    })
    const events = await stream.take(3)
    await stand.photos.add('resize', input, { id: 'echo' })
    await tail.take(3)
    const texts = [
      JSON.stringify(events),
      ...await Promise.all([
        `/v1/queues/leaky/jobs/${id}`, '/v1/queues/leaky/jobs',
        `/v1/queues/leaky/jobs/${id}/explain`, `${jobs}/echo`,
      ].map(async (path) => (await get(url, path)).text)),
    ]
    for (const text of texts) {
      expect(text).not.toContain(secret)
      expect(text).not.toContain('1234')
    }
    expect(texts[1]).not.toContain('"stack"')
    expect(JSON.parse(texts[1] ?? '')).toMatchObject({
      error: { message: 'refused: Bearer [redacted]' },
    })
    expect(texts[0]).toContain('refused: Bearer [redacted]')
    expect(texts[0]).toContain('token=[redacted]')
  })

  test('what is no secret stays as it is', async () => {
    const url = await stand.listen()
    const input = {
      file: 'a.jpg', monkey: 'm', keyboard: 'qwerty', tokens: 12, maxTokens: 5, author: 'Ann',
      passed: true, secret: null, turkey: ['x'], text: 'the key is here, no password given',
    }
    await post(url, jobs, { task: 'resize', input, options: { id: 'j', delay: '1h' } })
    expect((await get(url, `${jobs}/j`)).json['input']).toEqual(input)
  })

  test('a secret cannot be found by searching for it', async () => {
    const url = await stand.listen()
    await stand.photos.add('resize', { password: 'hunter2', file: 'say "a.jpg"' }, { delay: '1h' })
    const found = async (text: string) =>
      ((await get(url, `${jobs}?text=${encodeURIComponent(text)}`)).json['jobs'] as []).length
    expect(await found('hunter2')).toBe(0)
    expect(await found('hunt')).toBe(0)
    expect(await found('say "A.jpg')).toBe(1)
  })

  test('costs a text its length, whatever is in it', () => {
    const nasty = [
      'a.'.repeat(200_000), 'password'.repeat(50_000), 'password="'.repeat(40_000),
      `token${' '.repeat(400_000)}`, 'Bearer '.repeat(60_000), 'eyJ'.repeat(130_000),
      'a://b'.repeat(80_000), 'secret=\''.repeat(50_000),
    ]
    const start = performance.now()
    for (const text of nasty) redactText(text)
    expect(performance.now() - start).toBeLessThan(5000)
  })

  test('takes a text as a text', () => {
    fc.assert(fc.property(fc.string(), (text) => {
      expect(typeof redactText(text)).toBe('string')
      expect(redactText(redactText(text))).toBe(redactText(text))
    }), runs(500))
  })
})

describe('when asked', () => {
  test('a hook changes what leaves, and one that throws hides it', async () => {
    const url = await stand.listen({
      redact: (path, value) => {
        if (path === 'input.bad') throw new Error('no')
        return path === 'input.people[0].iban' ? 'DE…' : value
      },
    })
    const input = { people: [{ iban: 'DE02', name: 'Ann' }], bad: 1, password: 'x' }
    await post(url, jobs, { task: 'resize', input, options: { id: 'j', delay: '1h' } })
    expect((await get(url, `${jobs}/j`)).json['input']).toEqual({
      people: [{ iban: 'DE…', name: 'Ann' }], bad: '[redacted]', password: '[redacted]',
    })
    expect(stand.takeLines()).toEqual(['the redact function of the gateway threw'])
  })

  test('stacks are sent', async () => {
    const url = await stand.listen({ stacks: true })
    await stand.troupe.start()
    const handle = await stand.photos.add('fail', null, { id: 'j' })
    await handle.result().catch(() => undefined)
    const { error } = (await get(url, `${jobs}/j`)).json as { error: { stack: string } }
    expect(error.stack).toContain('no picture')
  })
})
