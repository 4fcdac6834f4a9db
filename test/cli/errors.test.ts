import { writeFile } from 'node:fs/promises'
import { createTroupe } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { expect, test } from 'vitest'
import { transferVersion } from '../../src/cli/transfer-lines.ts'
import { recordIn } from '../../src/testing/records.ts'
import { useCommandLine } from './command-line.ts'

const { troupe, spawned, at, inShell, onTerminal } = await useCommandLine()
const store = { TROUPE_STORE: 'file:errors.json' }

test.each<[line: string, code: number, text: string]>([
  ['lst', 2, `unknown command 'lst' (Did you mean list?); see troupe --help`],
  ['list --limti 3', 2, `unknown option '--limti' (Did you mean --limit?); see troupe --help`],
  ['add photos', 2, `missing required argument 'task'; see troupe --help`],
  ['list one two', 2, `too many arguments for 'list'. Expected 1 argument but got 2.; ` +
    'see troupe --help'],
  ['schedules lst', 2, `unknown command 'lst' (Did you mean list?); see troupe --help`],
  ['list --url ftp://here', 2, '--url "ftp://here" is not the http(s) address of a gateway'],
  ['list --url http://a --store memory:', 2,
    '--store and --url name two targets: give one of them'],
  ['list --store data/jobs.json', 2, '--store "data/jobs.json" has no scheme; for a file write ' +
    'file:jobs.json: it must be file:<path>, postgres://… or memory:'],
  ['list --store redis://here', 2, '--store "redis:": it must be file:<path>, postgres://… or ' +
    'memory:'],
  ['list --state runing', 2, '--state "runing" is not known (did you mean "running"?); known: ' +
    'queued, running, cancelling, completed, failed, cancelled'],
  ['list --limit many', 2, '--limit "many" must be a whole number from 1 on'],
  ['list --created-after tomorow', 2, '--created-after "tomorow" is no time; write 2026-01-31, ' +
    '2026-01-31T08:00:00Z or 2h'],
  ['list --meta user', 2, '--meta "user" must be key=value'],
  ['add photos resize @gone.json', 2, 'the input: there is no file {place}/gone.json'],
  ['add photos resize a.jpg', 2, `the input is not JSON (Unexpected token 'a', "a.jpg" is not ` +
    `valid JSON); text needs quotes: '"a.jpg"', a file an @`],
  ['add photos resize --priority 5000', 2,
    'options.priority must be an integer from -1000 to 1000; received 5000'],
  ['add photos resize --delay soon', 2, 'options.delay must be milliseconds (0 or more) or a ' +
    `duration such as '250ms', '10s', '5m', '2h'; received "soon"`],
  ['add photos resize --dedupe-mode simple', 2,
    '--dedupe-mode and --dedupe-window need --dedupe <key>'],
  ['cancel', 2, 'give ids of jobs, or --queue with a filter'],
  ['cancel a --state queued', 2, 'give ids, or a filter with --queue, not both'],
  ['clean photos --all --state failed', 2,
    '--all is for no filter at all: leave one of them'],
  ['schedules preview --every 1h --cron @daily', 2, 'give either --every or --cron'],
  ['schedules preview --cron 61', 2, ''],
  ['chart jobs', 2, 'the machine "jobs" is not known (did you mean "job"?); known: job, queue'],
  ['completions fisch', 2, 'the shell "fisch" is not known (did you mean "fish"?); known: bash, ' +
    'zsh, fish'],
  ['start gone.js', 2, 'there is no module {place}/gone.js'],
  ['export --url http://127.0.0.1:1', 2,
    'export works on a store, not through a gateway: give --store'],
  ['list phots', 1, 'file:errors.json knows no queue "phots" (did you mean "photos"?)'],
  ['show gone', 1, 'file:errors.json has no job "gone"'],
  ['list --store file:gone.json', 3,
    'there is no file {place}/gone.json: check the path of --store'],
  ['list --url http://127.0.0.1:2', 3, 'no answer from http://127.0.0.1:2/v1: connect ' +
    'ECONNREFUSED 127.0.0.1:2; is a process there that serves it (troupe start, troupe serve)?'],
  ['list --store postgres://nobody@127.0.0.1:1/none', 3, ''],
  ['watch', 3, 'no other process works on file:errors.json: start one (troupe start), then watch ' +
    'it'],
  ['add photos resize --wait', 2,
    '--wait: nobody works on file:errors.json while this command holds it'],
])('troupe %s ends with %i', async (line, code, text) => {
  await troupe(['add', 'photos', 'resize', '--id', 'there'], store)
  const explicit = /--store|--url/.test(line)
  const { errors, ...answer } = await troupe(line.split(' '), explicit ? {} : store)
  expect(answer).toEqual({ code, out: '' })
  const place = at('').replace(/\/$/, '')
  if (text !== '') expect(errors).toBe(`troupe: ${text.replace('{place}', place)}\n`)
  expect(errors).toMatch(/^troupe: .+\n$/) // one line
  expect(errors).not.toMatch(/\n\s+at /)
}, 30_000)

test('without a target, and with two in the environment', async () => {
  expect(await spawned(['list'])).toEqual({
    code: 2, out: '',
    errors: 'troupe: there is no target: give --store file:data/jobs.json, --store postgres://… ' +
      'or --url http://…, or set TROUPE_STORE or TROUPE_URL\n',
  })
  expect(await troupe(['list'], { ...store, TROUPE_URL: 'http://127.0.0.1:1' })).toMatchObject({
    code: 2, errors: 'troupe: TROUPE_STORE and TROUPE_URL name two targets: give one of them\n',
  })
})

test('a stack is shown with --debug only', async () => {
  const plain = await troupe(['show', 'gone', '--store', 'memory:'])
  expect(plain.errors).toBe('troupe: memory: has no job "gone"\n')
  const debug = await troupe(['show', 'gone', '--store', 'memory:', '--debug'])
  expect(debug).toMatchObject({ code: 1, errors: expect.stringMatching(/\n\s+at /) as string })
})

test('a file of a running process without a gateway, and a damaged one', async () => {
  const holder = await createTroupe({ store: lowdbStore(at('held.json')) })
  const { code, errors } = await spawned(['list', '--store', 'file:held.json'])
  await holder.stop()
  expect(code).toBe(3)
  expect(errors).toContain(`held.json is in use by process ${process.pid} on`)
  expect(errors).toContain('let that process serve the others through a gateway (it has none now)')
  expect(errors.split('\n')).toHaveLength(2)
  await writeFile(at('damaged.json'), '{"version":')
  expect(await troupe(['list', '--store', 'file:damaged.json'])).toMatchObject({ code: 3 })
})

test('a reader that goes is no error, and what was opened is closed', async () => {
  const line = 'troupe export --store file:many.json | head -1; echo "${PIPESTATUS[0]}"; ls -a'
  const job = (id: number): object =>
    recordIn('ready', { id: `job-${id}`, queue: 'q', task: 't', input: 'x'.repeat(1000) })
  const lines = [
    { type: 'troupe-export', version: transferVersion, from: 'a test' },
    ...Array.from({ length: 1000 }, (_, id) => ({ type: 'job', job: job(id) })), { type: 'end' },
  ]
  await spawned(['import', '--store', 'file:many.json'], {
    input: lines.map((each) => `${JSON.stringify(each)}\n`).join(''),
  })
  const { out, errors } = await inShell(line)
  const [head, status, ...files] = out.split('\n')
  expect(head).toContain('"troupe-export"')
  expect(status).toBe('0')
  expect(errors).toBe('')
  expect(files).toContain('many.json')
  expect(files.join()).not.toContain('many.json.lock')
})

test('help and version come without a target, colours on a terminal only', async () => {
  expect(await troupe([])).toMatchObject({ code: 2 })
  const { version } = await import('../../src/orchestrator/leases.ts')
  expect(await troupe(['--version'])).toEqual({ code: 0, out: `${version}\n`, errors: '' })
  await troupe(['add', 'photos', 'resize', '--store', 'file:colours.json'])
  const args = ['list', '--store', 'file:colours.json']
  const blue = '\u001b[34mqueued'
  expect((await onTerminal(args).ended).out).toContain(blue)
  expect((await onTerminal(args, { env: { NO_COLOR: '1' } }).ended).out).not.toContain('\u001b[')
  expect((await onTerminal([...args, '--no-color']).ended).out).not.toContain('\u001b[')
  expect((await troupe(args)).out).not.toContain('\u001b[')
})
