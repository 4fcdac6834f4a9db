import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import pg from 'pg'
import { createTroupe } from 'troupe'
import { postgresStore } from 'troupe/stores/postgres'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { useOwnDatabase } from '../support/postgres/own-database.ts'
import { withClient } from '../support/postgres/schemas.ts'
import { usePostgres } from '../support/postgres/use-postgres.ts'

const page = resolve(import.meta.dirname, '../../docs/stores/postgres.md')
const jobs = 20_000
const atOnce = 100

const { url } = useOwnDatabase(usePostgres().url)

/** The plan of each statement, by what it does. */
const plans = new Map<string, string>()
let version = ''

/** What the store really sends, and what tells the three statements apart. */
const statements = new Map<string, { readonly text: string; readonly values: readonly unknown[] }>()
const marks = {
  insert: /^\s*with added/,
  claim: /^\s*with gate/,
  settle: /^\s*with given[^]*insert into .*history/,
}

function listen(): () => void {
  const query = vi.spyOn(pg.Client.prototype, 'query')
  return () => {
    for (const [sent] of query.mock.calls as unknown as [unknown][]) {
      if (typeof sent === 'string' && sent.startsWith('set ')) settings = sent
      if (typeof sent !== 'object' || sent === null || !('text' in sent)) continue
      const { text, values } = sent as { readonly text: string; readonly values: unknown[] }
      for (const [name, mark] of Object.entries(marks)) {
        if (!statements.has(name) && mark.test(text)) statements.set(name, { text, values })
      }
    }
    query.mockRestore()
  }
}

/** What the store sets on its own connections. */
let settings = ''

function toLiteral(value: unknown): string {
  if (typeof value === 'number') return String(value)
  if (!Array.isArray(value)) return pg.escapeLiteral(String(value))
  return pg.escapeLiteral(`{${value.map((each) => JSON.stringify(each)).join(',')}}`)
}

beforeAll(async () => {
  const end = listen()
  const store = postgresStore(url)
  const troupe = await createTroupe({ store })
  const ends: (() => void)[] = []
  const queue = troupe.queue('mails', {
    concurrency: atOnce,
    tasks: { send: () => new Promise<void>((done) => { ends.push(done) }) },
  })
  for (let added = 0; added < jobs; added += 1000) {
    await queue.addMany(Array.from({ length: 1000 }, () => ({ task: 'send' })))
  }
  await withClient(url, (client) => client.query('vacuum analyze'))
  await troupe.start()
  await vi.waitUntil(() => ends.length === atOnce, { timeout: 20_000 })
  for (const done of ends) done()
  await vi.waitUntil(async () => (await queue.counts()).completed === atOnce, { timeout: 20_000 })
  await troupe.stop({ grace: 0 })
  end()
  await withClient(url, async (client) => {
    version = (await client.query<{ server_version: string }>('show server_version'))
      .rows[0]?.server_version.split(' ')[0] ?? ''
    await client.query(settings)
    // After some runs a prepared statement keeps the plan that is good for any values.
    await client.query('set plan_cache_mode = force_generic_plan')
    for (const [name, { text, values }] of statements) {
      await client.query(`prepare "${name}" as ${text}`)
      const { rows } = await client.query<{ 'QUERY PLAN': string }>(
        `explain (costs off) execute "${name}" (${values.map(toLiteral).join(', ')})`,
      )
      plans.set(name, rows.map((row) => row['QUERY PLAN']).join('\n'))
    }
  })
}, 60_000)

function planOf(name: keyof typeof marks): string {
  const plan = plans.get(name)
  if (plan === undefined) throw new Error(`the store has sent no statement for ${name}`)
  return plan
}

/** All rows of a table, or of a list of the call, read for one. */
const scans = /Seq Scan|Hash Join|Merge Join|Join Filter: \(\w+\.id = (g|f|m)\w*\.id\)/

describe(`the plans on a table of ${jobs} jobs`, () => {
  test('a claim walks the index in the order of the claims, and sorts nothing before', () => {
    const plan = planOf('claim')
    const next = plan.slice(plan.indexOf('CTE next'), plan.indexOf('CTE numbered'))
    expect(next).toMatch(/Limit[^]*LockRows[^]*Index Scan using jobs_ready on jobs/)
    expect(next).not.toContain('Sort')
    expect(plan).toContain('Tid Scan on jobs')
    expect(plan).not.toMatch(scans)
  })

  test('an end finds its rows by the primary key', () => {
    const plan = planOf('settle')
    expect(plan).toContain('Tid Scan on jobs')
    expect(plan).not.toMatch(scans)
  })

  test('an add looks nothing up', () => {
    expect(planOf('insert')).not.toMatch(/(?<!Function )Scan/)
  })
})

afterAll(() => {
  if (process.env['TROUPE_WRITE_DOCS'] !== '1') return
  const fence = '```'
  const blocks = Object.keys(marks).map((name) => [
    `**${name}**, PostgreSQL ${version}:`, '', `${fence}text`, plans.get(name), fence, '',
  ].join('\n'))
  const text = readFileSync(page, 'utf8').replace(
    /(<!-- plans: .*? -->\n)[^]*?(<!-- end of plans -->)/,
    (_, begin: string, end: string) => `${begin}\n${blocks.join('\n')}\n${end}`,
  )
  writeFileSync(page, text)
})
