/** Turns the rounds' raw values into Markdown: tables, ratios, aims, notes. */
import { versionsOf } from './facts.mjs'
import { notes } from './notes.mjs'
import { aimLines, count, ratioTable, reader, table } from './tables.mjs'

const rateColumns = [
  { title: 'drain, 10 at once', measure: 'drain10', key: 'rate' },
  { title: 'drain, 100 at once', measure: 'drain100', key: 'rate' },
  { title: 'single adds', measure: 'single', key: 'rate' },
  { title: 'bulk add', measure: 'bulk', key: 'rate' },
]
const costColumns = [
  { title: 'add → start p50', measure: 'latency', key: 'startP50' },
  { title: 'add → start p99', measure: 'latency', key: 'startP99' },
  { title: 'add → done p50', measure: 'latency', key: 'doneP50' },
  { title: 'add → done p99', measure: 'latency', key: 'doneP99' },
  { title: 'heap per queued job', measure: 'heap', key: 'bytes' },
]
const ownColumns = [
  { title: 'add p50, 300 waiting, ms', measure: 'backlog', key: 'fewP50' },
  { title: 'add p50, 50,000 waiting, ms', measure: 'backlog', key: 'manyP50' },
  { title: 'keyed add p50, 100 keys, ms', measure: 'keyed', key: 'fewP50' },
  { title: 'keyed add p50, 100,000 keys, ms', measure: 'keyed', key: 'manyP50' },
  { title: 'loop blocked at most, ms', measure: 'checkpoint', key: 'blockedMs' },
  { title: 'µs per job, 10 followed', measure: 'followed', key: 'fewUs' },
  { title: 'µs per job, 10,000 followed', measure: 'followed', key: 'manyUs' },
  { title: 'heap left per finished job, B', measure: 'growth', key: 'bytes' },
]
const drains = ['drain10', 'drain100']
const ratioRows = [
  ['troupe-memory', 'better-queue', drains],
  ['troupe-memory', 'p-queue', drains],
  ['troupe-memory', 'fastq', drains],
  ['troupe-lowdb', 'plainjob', [...drains, 'single', 'bulk']],
]
const aims = [
  { system: 'troupe-memory', over: 'better-queue', measure: 'drain10', min: 2 },
  { system: 'troupe-memory', over: 'better-queue', measure: 'drain100', min: 2 },
  { system: 'troupe-lowdb', over: 'plainjob', measure: 'drain10', min: 2 },
  { system: 'troupe-lowdb', over: 'plainjob', measure: 'drain100', min: 2 },
  { system: 'troupe-memory', measure: 'heap', key: 'bytes', max: 1024, unit: 'B' },
  { system: 'troupe-lowdb', measure: 'heap', key: 'bytes', max: 1024, unit: 'B' },
  { system: 'troupe-memory', measure: 'latency', key: 'startP50', max: 0.3, unit: 'ms' },
  { system: 'troupe-lowdb', measure: 'latency', key: 'startP50', max: 1.5, unit: 'ms' },
  { system: 'troupe-lowdb', measure: 'checkpoint', key: 'blockedMs', max: 50, unit: 'ms' },
]

/** `rounds` is a list of { [system]: { [measure]: { [key]: number } } }. */
export function report({ systems, rounds, options, facts }) {
  const names = systems.map((system) => system.name)
  const { valuesOf, ratiosOf } = reader(rounds)
  const columns = [...rateColumns, ...costColumns, ...ownColumns]
  return [
    ...facts.map((fact) => `* ${fact}`),
    `* ${versionsOf(systems, import.meta.url)}`,
    '',
    `**Throughput, per second** (${count(options.jobs)} no-op async jobs; more is better)`,
    '',
    ...table(systems, rateColumns, valuesOf),
    '',
    `**Idle latency in ms** (${options.samples} single jobs) **and heap in bytes** ` +
      `(${count(options.heapJobs)} queued; less is better)`,
    '',
    ...table(systems, costColumns, valuesOf),
    '',
    ...ratioTable(names, ratioRows, rateColumns, ratiosOf),
    '**Scaling** (Troupe only; the loop is watched while 100,000 jobs are written at close)',
    '',
    ...table(systems.filter((system) => system.packages.includes('troupe')), ownColumns, valuesOf),
    '',
    '**Aims**',
    '',
    ...aimLines(aims, columns, { valuesOf, ratiosOf }),
    '',
    '**What the systems promise for these figures**',
    '',
    ...notes.map((note) => `* ${note}`),
  ]
}
