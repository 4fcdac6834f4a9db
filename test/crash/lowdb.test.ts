import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createTroupe } from 'troupe'
import type { JobRecord } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { LogEntry } from '../../src/records/transition.ts'
import { checkLog, checkRecords } from '../../src/testing/invariants.ts'

const kills = Number(process.env['TROUPE_KILLS'] ?? 100)
const root = resolve(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'troupe-crash-'))
const built = join(root, '.cache', `crash-${process.pid}`)
const file = join(folder, 'jobs.json')

/** What the product has said it did, over all lives of the process. */
const added = new Set<string>()
const settled = new Map<string, string>()
const fences = new Set<string>()
let next = 1

beforeAll(() => {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  execFileSync(process.execPath, [
    compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', built, '--incremental', 'false',
    '--tsBuildInfoFile', 'null', '--declaration', 'false', '--declarationMap', 'false',
  ])
}, 120_000)

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
  rmSync(built, { recursive: true, force: true })
})

function hear(line: string): void {
  const [word, id = '', fence] = line.split(' ')
  if (word === 'added') {
    added.add(id)
    next = Math.max(next, Number(id.slice(4)) + 1)
  } else if (word === 'start') {
    expect(fences.has(`${fence}`), `fence ${fence} was given twice`).toBe(false)
    fences.add(`${fence}`)
  } else if (word === 'completed' || word === 'failed' || word === 'cancelled') {
    expect(settled.get(id) ?? word, `${id} settled twice`).toBe(word)
    settled.set(id, word)
  }
}

/** Runs the worker; kills it when it has said `lines` lines (never, if it may finish). */
function live(mode: 'work' | 'finish', lines: number): Promise<number | null> {
  const child = spawn(
    process.execPath, [join(import.meta.dirname, 'worker.mjs'), built, file, String(next), mode],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let rest = ''
  let heard = 0
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) hear(line)
    heard += parts.length
    if (heard >= lines) child.kill('SIGKILL')
  })
  return new Promise((done) => { child.on('close', done) })
}

async function everything(): Promise<{ records: JobRecord[]; log: LogEntry[] }> {
  const store = lowdbStore(file)
  const troupe = await createTroupe({ store })
  const queue = troupe.queue('crash')
  const records: JobRecord[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await queue.list({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    records.push(...page.jobs)
    cursor = page.cursor
  }
  const { entries } = await store.readLog('crash', 0, Number.MAX_SAFE_INTEGER)
  await troupe.stop()
  return { records, log: [...entries] }
}

it(`keeps its word through ${kills} kills at random moments`, async () => {
  // Chance of a fixed seed chooses the moments; the operating system adds its own.
  let seed = 42
  for (let kill = 0; kill < kills; kill += 1) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    expect(await live('work', 1 + seed % 120)).toBe(null)
  }
  expect(await live('finish', Number.POSITIVE_INFINITY)).toBe(0)

  const { records, log } = await everything()
  const byId = new Map(records.map((record) => [record.id, record]))
  expect(added.size).toBeGreaterThan(kills)
  for (const id of added) expect(byId.has(id), `${id} was acknowledged and is gone`).toBe(true)
  for (const [id, state] of settled) expect(byId.get(id)?.state, id).toBe(state)
  const unsettled = records.filter((record) => record.settledAt === null)
  expect(unsettled.map(({ id, state }) => `${id} ${state}`)).toEqual([])
  checkRecords(checkLog(log), records, { pruned: false })
}, 600_000)
