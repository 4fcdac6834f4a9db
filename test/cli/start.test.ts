import { readFile, writeFile } from 'node:fs/promises'
import { beforeAll, expect, test } from 'vitest'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { useCommandLine, values } from './command-line.ts'

const { troupe, begin, spawned, inShell, onTerminal, at, library } = await useCommandLine()
const postgres = usePostgres()

/** Queues whose jobs end when a file is there. */
const queues = `
  import { existsSync } from 'node:fs'
  export const declare = (troupe) => {
    troupe.queue('photos', { tasks: {
      quick: (job) => job.input,
      bad: () => { throw new Error('no \\u001b[31mgood') },
      gated: async (job) => {
        job.progress({ current: 40, total: 100, message: 'half\\u0007way' })
        while (!existsSync(job.input)) await new Promise((resolve) => setTimeout(resolve, 20))
        return 'through'
      },
      stuck: () => new Promise(() => undefined),
    } })
    return troupe
  }
`

beforeAll(async () => {
  await writeFile(at('queues.js'), queues)
  await writeFile(at('factory.js'), `
    import { createTroupe } from '${library}'
    import { declare } from './queues.js'
    export default async ({ store }) => declare(await createTroupe({ store }))
  `)
  await writeFile(at('ready.ts'), `
    import { createTroupe } from '${library}'
    interface Order { readonly file: string }
    export const troupe = await createTroupe()
    troupe.queue('orders', { tasks: { take: (job: { input: Order }) => job.input.file } })
  `)
  await writeFile(at('package.json'), '{"type":"module"}')
  await writeFile(at('empty.js'), 'export const other = 1')
  await writeFile(at('wrong.js'), 'export default { queue: 1 }')
  await writeFile(at('broken.js'), 'throw new Error("broken here")')
})

/** Starts it on a file of its own; answers when it serves. */
async function start(name: string, ...args: string[]) {
  const store = ['--store', `file:${name}.json`]
  const running = begin(['start', 'factory.js', '--port', '0', '--json', ...store, ...args])
  const [started] = values((await running.said('"started"')).split('\n')[0] ?? '')
  return {
    ...running,
    url: String(started?.['url']),
    run: (...line: string[]) => troupe([...line, ...store]),
    json: async (...line: string[]) => values((await troupe([...line, ...store, '--json'])).out),
  }
}

test('start works and serves; the file it holds leads to its gateway; SIGTERM drains', async () => {
  const { child, ended, said, url, run, json } = await start('start')
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(await run('add', 'photos', 'quick', '"x"', '--wait', '--id', 'a'))
    .toEqual({ code: 0, out: '"x"\n', errors: '' })
  const bad = await run('add', 'photos', 'bad', '--wait')
  expect(bad).toEqual({ code: 1, out: '', errors: 'troupe: the job failed: error; no good\n' })
  expect(await json('show', 'a')).toMatchObject([{ state: 'completed', result: 'x' }])
  const [line] = await json('list', '--state', 'completed')
  expect(line).toMatchObject({ id: 'a' })
  expect(line).not.toHaveProperty('input')
  expect((await run('list')).out).not.toContain('\u001b')
  expect(await json('counts')).toMatchObject([{ queue: 'photos', completed: 1, failed: 1 }])
  expect(await json('workers')).toMatchObject([{ queues: [{ name: 'photos' }] }])
  expect((await run('workers')).out).toContain('photos (quick, bad, gated, stuck)')
  expect(await json('doctor')).toMatchObject([{ check: 'store', level: 'ok' }, {}])
  expect(await json('explain', 'a')).toMatchObject([{ why: 'settled' }])
  expect(await run('retry', '--queue', 'photos', '--all')).toMatchObject({ code: 0 })
  expect(await run('schedules', 'set', 'photos', 'often', 'quick', '1', '--every', '1h'))
    .toMatchObject({ code: 0 })
  expect(await json('schedules', 'trigger', 'photos', 'often')).toMatchObject([{ created: true }])
  expect(await run('pause', 'photos')).toMatchObject({ code: 0 })
  expect(await run('resume', 'photos')).toMatchObject({ code: 0 })
  expect(await run('add', 'photo', 'quick', '1')).toMatchObject({ code: 1 })

  const id = (await json('add', 'photos', 'gated', '"go"'))[0]?.['id']
  const watching = begin(['watch', '--job', String(id), '--url', url, '--json'])
  await expect.poll(() => json('show', String(id)), { timeout: 10_000, interval: 50 })
    .toMatchObject([{ state: 'running', progress: { percent: 40 } }])
  expect((await run('list', '--state', 'running')).out).toContain('40% half way')
  child.kill('SIGTERM')
  await said('stopping')
  await writeFile(at('go'), '')
  expect(await ended).toMatchObject({ code: 0 })
  expect(await json('show', String(id))).toMatchObject([{ state: 'completed', result: 'through' }])
  watching.child.kill('SIGINT')
  await watching.ended
}, 60_000)

test('watch: lines in a pipe, bars on a terminal, and its end', async () => {
  const { child, ended, url, json } = await start('watch')
  const [job] = await json('add', 'photos', 'gated', '"go-on"')
  const id = String(job?.['id'])
  const bars = onTerminal(['watch', '--url', url], { input: null })
  await bars.said(`gated ${id}  ████████░░░░░░░░░░░░ 40% half way`)
  const lines = begin(['watch', 'photos', '--job', id, '--url', url])
  const head = inShell(
    `troupe watch --json --url ${url} | head -1; echo "\${PIPESTATUS[0]}"`, { input: '' },
  )
  let headEnded = false
  const adding = head.finally(() => { headEnded = true })
  while (!headEnded) await json('add', 'photos', 'quick', '1')
  const { out, errors } = await adding
  expect(JSON.parse(out.split('\n')[0] ?? '')).toMatchObject({ queue: 'photos', task: 'quick' })
  expect(out.split('\n')[1]).toBe('0')
  expect(errors).toBe('')
  await writeFile(at('go-on'), '')
  const told = await lines.ended
  expect(told.code).toBe(0)
  expect(told.out).toMatch(new RegExp(`${id} completed\n$`))
  await bars.said('running 0')
  bars.child.stdin.write('\u0003')
  expect(await bars.ended).toMatchObject({ code: 0 })
  child.kill('SIGTERM')
  await ended
}, 60_000)

test('a second signal stops at once', async () => {
  const { child, ended, said, json } = await start('twice')
  const [job] = await json('add', 'photos', 'stuck')
  await expect.poll(() => json('show', String(job?.['id'])), { timeout: 10_000, interval: 50 })
    .toMatchObject([{ state: 'running' }])
  child.kill('SIGTERM')
  await said('stopping')
  const again = setInterval(() => { child.kill('SIGTERM') }, 100)
  expect(await ended).toMatchObject({ code: 0 })
  clearInterval(again)
  expect(JSON.parse(await readFile(at('twice.json'), 'utf8'))).toBeTypeOf('object')
}, 60_000)

test('a token, read-only, and addresses that are refused', async () => {
  const token = 'a-long-enough-token'
  const serving = begin(['serve', '--store', 'file:serve.json', '--port', '0', '--read-only'], {
    env: { TROUPE_TOKEN: token },
  })
  const url = /serving (\S+)/.exec(await serving.said('serving'))?.[1] ?? ''
  expect(await troupe(['list', '--url', url])).toEqual({
    code: 3, out: '',
    errors: `troupe: the gateway at ${url} asks for its token: give --token or set TROUPE_TOKEN\n`,
  })
  expect(await troupe(['list', '--url', url, '--token', token]))
    .toEqual({ code: 0, out: 'no jobs\n', errors: '' })
  const port = new URL(url).port
  expect(await troupe(['serve', '--store', 'memory:', '--port', port])).toMatchObject({
    code: 1, errors: `troupe: port ${port} of 127.0.0.1 is taken: give another --port\n`,
  })
  expect(await troupe(['serve', '--store', 'memory:', '--host', '0.0.0.0'])).toMatchObject({
    code: 2, errors: expect.stringContaining('can be reached by others') as string,
  })
  expect(await troupe(['export', '--store', 'file:serve.json'])).toMatchObject({ code: 3 })
  serving.child.kill('SIGTERM')
  expect(await serving.ended).toMatchObject({ code: 0 })
}, 60_000)

test('work runs a TypeScript module with its own troupe; no module is refused', async () => {
  const working = begin(['work', 'ready.ts'])
  expect(await working.said('working')).toBe('working on orders\n')
  working.child.kill('SIGINT')
  expect(await working.ended).toMatchObject({ code: 0 })
  const store = ['--store', 'memory:']
  expect(await troupe(['work', 'empty.js', ...store])).toMatchObject({
    code: 2,
    errors: 'troupe: the module empty.js exports nothing: it must export a troupe, or a ' +
      'function ({ store }) => troupe, as default or as `troupe`\n',
  })
  expect(await troupe(['work', 'wrong.js', ...store])).toMatchObject({ code: 2 })
  expect(await troupe(['work', 'broken.js', ...store])).toMatchObject({
    code: 1, errors: 'troupe: the module broken.js could not be loaded: broken here\n',
  })
  expect(await troupe(['work', 'factory.js'])).toMatchObject({
    code: 2, errors: expect.stringContaining('there is no target') as string,
  })
  expect(await spawned(['start', 'ready.ts', ...store])).toMatchObject({
    code: 2, errors: expect.stringContaining('has opened its own store') as string,
  })
}, 60_000)

test('serve and work on PostgreSQL: a queue that others make is found', async () => {
  const store = `${postgres.url}?schema=${postgres.schema}`
  const serving = begin(['serve', '--port', '0', '--store', store])
  const url = /serving (\S+)/.exec(await serving.said('serving'))?.[1] ?? ''
  expect(await troupe(['list', '--url', url])).toMatchObject({ out: 'no jobs\n' })
  const working = begin(['work', 'factory.js', '--store', store])
  await working.said('working on photos')
  expect(await troupe(['add', 'photos', 'quick', '7', '--wait', '--store', store]))
    .toEqual({ code: 0, out: '7\n', errors: '' })
  await expect.poll(async () => values((await troupe(['list', '--url', url, '--json'])).out), {
    timeout: 10_000, interval: 200,
  }).toMatchObject([{ queue: 'photos', state: 'completed' }])
  for (const { child } of [serving, working]) child.kill('SIGTERM')
  expect(await serving.ended).toMatchObject({ code: 0 })
  expect(await working.ended).toMatchObject({ code: 0 })
}, 60_000)
