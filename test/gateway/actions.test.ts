import { describe, expect, test } from 'vitest'
import { ask, codeOf, get, post, useStand } from './stand.ts'

const stand = useStand()
const jobs = '/v1/queues/photos/jobs'

describe('jobs', () => {
  test('are added in the user\'s name, and read', async () => {
    const url = await stand.listen()
    const added = await post(url, jobs, {
      task: 'resize', input: { file: 'a.jpg' }, options: { id: 'j1', label: 'A', delay: '1h' },
    })
    expect(added.status).toBe(201)
    expect(added.json).toEqual({ id: 'j1', queue: 'photos', created: true, foundIn: null })
    const again = await post(url, jobs, { task: 'resize', options: { id: 'j1' } })
    expect([again.status, again.json]).toEqual(
      [200, { id: 'j1', queue: 'photos', created: false, foundIn: 'queued' }],
    )
    const read = await get(url, `${jobs}/j1`)
    expect(read.json).toMatchObject({
      id: 'j1', input: { file: 'a.jpg' }, label: 'A', state: 'queued', phase: 'delayed',
      can: ['cancel', 'remove', 'reschedule'],
    })
    expect(read.json).not.toHaveProperty('operation')
    expect(read.json).not.toHaveProperty('options')
    const record = await stand.photos.get('j1')
    expect(record?.timeline[0]?.by).toBe('local')
  })

  test('are refused with the field that is wrong', async () => {
    const url = await stand.listen()
    const bodies: readonly (readonly [unknown, number, string])[] = [
      [{ task: 'nothing' }, 400, 'unknown-task'],
      [{ task: 7 }, 400, 'invalid-body'],
      [{}, 400, 'invalid-body'],
      [{ task: 'resize', extra: 1 }, 400, 'invalid-body'],
      [{ task: 'resize', options: { priority: 'high' } }, 400, 'invalid-option'],
      [{ task: 'resize', options: { transaction: { query: 1 } } }, 400, 'invalid-option'],
      [{ task: 'resize', options: [] }, 400, 'invalid-option'],
      [{ task: 'resize', options: { task: 'fail' } }, 400, 'invalid-option'],
      [{ task: 'resize', options: { dependsOn: ['nobody'] } }, 400, 'unknown-parent'],
      [{ task: 'resize', input: '\u0000' }, 400, 'invalid-input'],
      [{ task: 'resize', input: 'x'.repeat(1_100_000) }, 413, 'too-large'],
    ]
    for (const [body, status, code] of bodies) {
      const answer = await post(url, jobs, body)
      expect([answer.status, codeOf(answer)], JSON.stringify(body).slice(0, 80))
        .toEqual([status, code])
    }
    expect((await stand.photos.counts()).queued).toBe(0)
  })

  test('are listed by page and filter', async () => {
    const url = await stand.listen()
    for (const [index, partition] of ['a', 'b', 'a'].entries()) {
      await stand.photos.add('resize', { big: 'input' }, {
        id: `j${index}`, partition, meta: { plan: 'pro', level: index }, delay: '1h',
      })
    }
    const ids = async (query: string): Promise<unknown> => {
      const { json } = await get(url, `${jobs}?${query}`)
      return (json['jobs'] as readonly { id: string }[]).map(({ id }) => id)
    }
    expect(await ids('partition=a')).toEqual(['j0', 'j2'])
    expect(await ids('state=queued,failed&order=desc')).toEqual(['j2', 'j1', 'j0'])
    expect(await ids('meta.level=1&meta.plan=pro')).toEqual(['j1'])
    expect(await ids('createdFrom=0&createdTo=1')).toEqual([])
    expect(await ids('text=J1')).toEqual(['j1'])
    const first = await get(url, `${jobs}?limit=2`)
    expect(first.json['jobs']).toHaveLength(2)
    expect((first.json['jobs'] as object[])[0]).not.toHaveProperty('input')
    const cursor = encodeURIComponent(String(first.json['cursor']))
    expect(await ids(`limit=2&cursor=${cursor}`)).toEqual(['j2'])
    for (const query of ['limit=many', 'limit=0', 'state=gone', 'stat=queued', 'task=a&task=b']) {
      expect(codeOf(await get(url, `${jobs}?${query}`)), query).toBe('invalid-option')
    }
  })

  test('are cancelled, retried, rescheduled and removed', async () => {
    const url = await stand.listen()
    const act = async (id: string, verb: string, body: unknown = {}): Promise<unknown> =>
      (await post(url, `${jobs}/${id}/${verb}`, body)).json['answer']
    await stand.photos.add('resize', null, { id: 'j1', delay: '1h' })
    expect(await act('j1', 'reschedule', { when: '2h' })).toBe('rescheduled')
    expect(await act('j1', 'retry')).toBe('not-failed')
    expect(await act('j1', 'cancel', { reason: 'not needed' })).toBe('cancelled')
    expect((await stand.photos.get('j1'))?.reason).toBe('not needed')
    expect(await act('j1', 'cancel')).toBe('settled')
    expect(await act('j1', 'retry')).toBe('retried')
    expect(await act('j1', 'reschedule', { when: 'now' })).toBe('rescheduled')
    expect(await act('j1', 'remove')).toBe('removed')
    for (const verb of ['cancel', 'retry', 'remove']) {
      expect(await act('j1', verb)).toBe('unknown')
    }
    expect(codeOf(await post(url, `${jobs}/j1/reschedule`, { when: 'soon' })))
      .toBe('invalid-option')
    expect(codeOf(await post(url, `${jobs}/j1/cancel`, { why: 1 }))).toBe('invalid-body')
    expect(codeOf(await get(url, `${jobs}/j1`))).toBe('unknown-job')
    expect(codeOf(await get(url, `${jobs}/j1/explain`))).toBe('unknown-job')
  })

  test('that run can be cancelled and not removed', async () => {
    const url = await stand.listen()
    await stand.troupe.start()
    const stream = await stand.stream(`${url}/v1/stream`)
    await stream.take(1)
    await post(url, jobs, { task: 'hang', options: { id: 'j1' } })
    expect((await stream.take(2)).at(-1)?.data['event']).toBe('claim')
    expect((await get(url, `${jobs}/j1`)).json['can']).toEqual(['cancel'])
    expect((await post(url, `${jobs}/j1/remove`)).json).toEqual({ answer: 'live' })
    expect((await post(url, `${jobs}/j1/cancel`)).json).toEqual({ answer: 'cancelling' })
    expect((await get(url, `${jobs}/j1/explain`)).json['text']).toMatch(/./)
  })

  test('are added together, and in a flow', async () => {
    const url = await stand.listen()
    const batch = await post(url, '/v1/queues/photos/batch', {
      jobs: [{ task: 'resize', input: 1 }, { task: 'resize', options: { id: 'second' } }],
    })
    expect([batch.status, (batch.json['jobs'] as object[])[1]])
      .toEqual([201, { id: 'second', queue: 'photos', created: true, foundIn: null }])
    const flow = await post(url, '/v1/flow', {
      jobs: {
        a: { queue: 'photos', task: 'resize' }, b: { queue: 'mail', task: 'resize' },
      },
      after: { b: ['a'] },
    })
    expect(flow.status).toBe(201)
    const { b } = flow.json['jobs'] as Record<string, { id: string }>
    expect((await stand.mail.get(b?.id ?? ''))?.phase).toBe('blocked')
    for (const [body, code] of [
      [{ jobs: [] }, 'invalid-body'],
      [{ jobs: { a: { queue: 'gone', task: 'resize' } } }, 'unknown-queue'],
      [{ jobs: { a: { queue: 'mail', task: 'gone' } } }, 'unknown-task'],
      [{ jobs: { a: { queue: 'mail', task: 'resize' } }, after: { a: ['b'] } }, 'invalid-option'],
    ] as const) expect(codeOf(await post(url, '/v1/flow', body))).toBe(code)
    const half = { jobs: [{ task: 'resize' }, { task: 'gone' }] }
    expect(codeOf(await post(url, '/v1/queues/photos/batch', half))).toBe('unknown-task')
    expect((await stand.photos.counts()).queued).toBe(3)
  })

  test('are changed in bulk, with a line for each batch if asked', async () => {
    const url = await stand.listen()
    await stand.photos.addMany(Array.from({ length: 700 }, (_, index) =>
      ({ task: 'resize', input: index, delay: '1h' as const })))
    const bulk = (verb: string, body: unknown, headers = {}) =>
      ask(url, 'POST', `/v1/queues/photos/${verb}`, { body, headers })
    const dry = await bulk('cancel-many', { filter: { state: 'queued' }, dryRun: true })
    expect(dry.json).toEqual({ matched: 700, done: 0, over: true })
    const lines = await bulk('cancel-many', { reason: 'all' }, { accept: 'application/x-ndjson' })
    expect(lines.text.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
      { matched: 500, done: 500, over: false }, { matched: 700, done: 700, over: false },
      { matched: 700, done: 700, over: true },
    ])
    expect((await bulk('retry-many', {})).json).toEqual({ matched: 700, done: 700, over: true })
    expect((await bulk('clean', { filter: { phase: 'ready' } })).json)
      .toEqual({ matched: 700, done: 700, awaited: 0, over: true })
    expect(codeOf(await bulk('clean', { filter: { stat: 1 } }))).toBe('invalid-option')
    expect(codeOf(await bulk('clean', { filter: [] }))).toBe('invalid-option')
    expect(codeOf(await bulk('clean', { reason: 'x' }))).toBe('invalid-body')
    const wrong = await bulk('clean', { filter: { stat: 1 } }, { accept: 'application/x-ndjson' })
    expect(JSON.parse(wrong.text)).toMatchObject({ error: { code: 'invalid-option' } })
  })
})

describe('queues', () => {
  test('say what holds for them, and are paused and resumed', async () => {
    const url = await stand.listen()
    const hello = await get(url, '/v1')
    expect(hello.json).toMatchObject({
      protocol: 1, user: 'local', readOnly: false, queues: ['photos', 'mail'],
    })
    const word = async (verb: string) =>
      (await post(url, `/v1/queues/photos/${verb}`)).json['answer']
    expect(await word('pause')).toBe('paused')
    expect(await word('pause')).toBe('already-paused')
    const queue = await get(url, '/v1/queues/photos')
    expect(queue.json).toMatchObject({
      name: 'photos', paused: true, counts: { queued: 0 }, can: expect.arrayContaining(['pause']),
      tasks: ['fail', 'hang', 'report', 'resize'],
    })
    expect(await word('resume')).toBe('resumed')
    expect(await word('resume')).toBe('not-paused')
    expect((await get(url, '/v1/queues')).json['queues']).toHaveLength(2)
    for (const path of ['', '/jobs', '/jobs/j1', '/schedules']) {
      expect(codeOf(await get(url, `/v1/queues/gone${path}`))).toBe('unknown-queue')
    }
  })

  test('have schedules', async () => {
    const url = await stand.listen()
    const path = '/v1/queues/photos/schedules/nightly'
    const put = (body: unknown) => ask(url, 'PUT', path, { body })
    const rule = { cron: '0 3 * * *', task: 'resize', input: { apiKey: 'abc' } }
    expect((await put(rule)).json).toEqual({ answer: 'created' })
    expect((await put(rule)).json).toEqual({ answer: 'unchanged' })
    expect((await get(url, path)).json).toMatchObject({
      key: 'nightly', rule: { cron: '0 3 * * *' }, input: { apiKey: '[redacted]' },
    })
    expect((await get(url, `${path}/preview?count=3`)).json['times']).toHaveLength(3)
    expect((await post(url, `${path}/pause`)).json).toEqual({ answer: 'paused' })
    expect((await post(url, `${path}/resume`)).json).toEqual({ answer: 'resumed' })
    expect((await post(url, `${path}/trigger`)).json).toMatchObject({ created: true })
    expect((await get(url, '/v1/queues/photos/schedules')).json['schedules']).toHaveLength(1)
    expect((await post(url, `${path}/remove`)).json).toEqual({ answer: 'removed' })
    expect((await post(url, `${path}/remove`)).json).toEqual({ answer: 'unknown' })
    expect(codeOf(await get(url, path))).toBe('unknown-schedule')
    expect(codeOf(await post(url, `${path}/trigger`))).toBe('unknown-schedule')
    expect(codeOf(await get(url, `${path}/preview?count=x`))).toBe('invalid-option')
    expect(codeOf(await put({ every: '1 fortnight', task: 'resize' }))).toBe('invalid-option')
  })
})

describe('the server', () => {
  test('tells of workers, doctor, metrics and whether it is ready', async () => {
    const url = await stand.listen()
    await stand.troupe.start()
    expect((await get(url, '/v1/workers')).json['workers']).toMatchObject([{ worker: 'mill' }])
    expect((await get(url, '/v1/doctor')).json['findings']).not.toHaveLength(0)
    expect((await get(url, '/health')).json).toEqual({ ok: true })
    expect((await get(url, '/ready')).json).toEqual({ ready: true, reason: null })
    await get(url, '/metrics')
    await post(url, jobs, { task: 'resize', options: { delay: '1h' } })
    const { text, headers } = await get(url, '/metrics')
    expect(headers['content-type']).toContain('text/plain')
    expect(text).toContain('troupe_jobs{queue="photos",state="queued",phase="delayed"} 1')
    expect(text).toContain('troupe_transitions_total{queue="photos",transition="added"} 1')
    const added = 'route="/v1/queues/{queue}/jobs",method="POST",status="201"'
    expect(text).toContain(`troupe_gateway_requests_total{${added}} 1`)
    await stand.troupe.stop()
    const ready = await get(url, '/ready')
    expect([ready.status, ready.json]).toEqual([503, { ready: false, reason: 'stopped' }])
    expect(codeOf(await get(url, '/v1/queues'))).toBe('stopped')
  })

  test('keeps a trail of what was changed, and what was refused', async () => {
    const lines: unknown[] = []
    const url = await stand.listen({ audit: (line) => { lines.push(line) } })
    await post(url, jobs, { task: 'resize', options: { id: 'j1', delay: '1h' } })
    await post(url, jobs, { task: 'gone' })
    await post(url, `${jobs}/j1/cancel`)
    await post(url, '/v1/queues/photos/clean', { dryRun: true })
    await post(url, '/v1/queues/photos/clean')
    await get(url, jobs)
    const at = expect.any(Number)
    const line = { at, user: 'local', queue: 'photos' }
    expect(lines).toEqual([
      { ...line, action: 'add', jobId: 'j1', outcome: 'created' },
      { ...line, action: 'add', jobId: null, outcome: 'unknown-task' },
      { ...line, action: 'cancel', jobId: 'j1', outcome: 'cancelled' },
      { ...line, action: 'clean', jobId: null, outcome: 'matched 1, done 1' },
    ])
    expect((await get(url, '/v1/audit')).json['lines']).toEqual(lines)
  })
})
