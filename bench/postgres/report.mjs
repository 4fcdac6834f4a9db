/** The part of the page about PostgreSQL. */
import { versionsOf } from '../facts.mjs'
import { aimLines, count, ratioTable, reader, table } from '../tables.mjs'
import { notes } from './notes.mjs'

const rateColumns = [
  { title: 'drain, 10 at once', measure: 'drain10', key: 'rate' },
  { title: 'drain, 100 at once', measure: 'drain100', key: 'rate' },
  { title: 'drain through dead rows', measure: 'dead', key: 'rate' },
  { title: 'single adds', measure: 'single', key: 'rate' },
  { title: 'pipelined adds', measure: 'pipelined', key: 'rate' },
  { title: 'bulk add', measure: 'bulk', key: 'rate' },
]
const costColumns = [
  { title: 'add → start p50, ms', measure: 'latency', key: 'startP50' },
  { title: 'p99', measure: 'latency', key: 'startP99' },
  { title: 'add → done p50, ms', measure: 'latency', key: 'doneP50' },
  { title: 'p99', measure: 'latency', key: 'doneP99' },
  { title: 'client CPU of a drained job, µs', measure: 'drain100', key: 'cpuUs' },
  { title: 'bytes of a queued job', measure: 'bytes', key: 'bytes' },
  { title: 'idle statements per second', measure: 'idle', key: 'rate' },
]
const remoteColumns = [
  { title: 'add → start p50, ms', measure: 'remote', key: 'startP50' },
  { title: 'p99', measure: 'remote', key: 'startP99' },
  { title: 'add → result p50, ms', measure: 'remote', key: 'resultP50' },
  { title: 'p99', measure: 'remote', key: 'resultP99' },
]
const peer = 'graphile-worker'
const ratioColumns = [
  ...rateColumns,
  { title: 'add → start p50', measure: 'latency', key: 'startP50' },
  { title: 'bytes', measure: 'bytes', key: 'bytes' },
]
const shown = ratioColumns.map(({ measure }) => measure)
const troupe = 'troupe-postgres'
const aims = [
  { system: troupe, over: peer, measure: 'drain10', min: 1 },
  { system: troupe, over: peer, measure: 'drain100', min: 1 },
  { system: troupe, over: peer, measure: 'bulk', min: 1.3 },
  { system: troupe, measure: 'latency', key: 'startP50', max: 1.2, unit: 'ms' },
  { system: troupe, measure: 'idle', max: 1, unit: 'statements per second' },
]

export function report({ systems, rounds, options, facts }) {
  const names = systems.map((system) => system.name)
  const { valuesOf, ratiosOf } = reader(rounds)
  const pairs = names.filter((name) => name !== peer).map((name) => [name, peer, shown])
  const own = systems.filter((system) => system.packages.includes('troupe'))
  return [
    ...facts.map((fact) => `* ${fact}`),
    `* ${versionsOf(systems, import.meta.url)}`,
    '',
    `**Throughput, per second** (${count(options.jobs)} jobs; more is better)`,
    '',
    ...table(systems, rateColumns, valuesOf, 'done jobs'),
    '',
    `**Costs** (latency of ${options.samples} single jobs; less is better)`,
    '',
    ...table(systems, costColumns, valuesOf, 'done jobs'),
    '',
    '**The handler in another process**',
    '',
    ...table(own, remoteColumns, valuesOf, 'done jobs'),
    '',
    ...ratioTable(names, pairs, ratioColumns, ratiosOf),
    '**Aims**',
    '',
    ...aimLines(aims, [...rateColumns, ...costColumns], { valuesOf, ratiosOf }),
    '',
    '**What the systems promise for these figures**',
    '',
    ...notes.map((note) => `* ${note}`),
  ]
}
