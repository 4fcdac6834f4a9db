/** Turns the rounds' raw values into Markdown: two tables, ratios, aims, notes. */
import { versionOf } from './facts.mjs'
import { quantile } from './load.mjs'
import { notes } from './notes.mjs'

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
export function report({ systems, rounds, options, facts, command }) {
  const names = systems.map((system) => system.name)
  const valuesOf = (system, measure, key) =>
    rounds.map((round) => round[system]?.[measure]?.[key]).filter((value) => value !== undefined)
  const ratiosOf = (system, over, measure) =>
    rounds
      .map((round) => round[system]?.[measure]?.rate / round[over]?.[measure]?.rate)
      .filter((ratio) => Number.isFinite(ratio))
  const date = new Date().toISOString().slice(0, 10)
  const packages = [...new Set(systems.flatMap((system) => system.packages))].map(versionOf)
  return [
    `Measured ${date} with \`${command}\`, in \`bench/\`.`,
    `Rounds: ${rounds.length}, the systems interleaved, each measure of each system in a process`,
    'of its own. Figures are median (min–max) of the rounds.',
    '',
    ...facts.map((fact) => `* ${fact}`),
    `* ${packages.join(', ')}`,
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
    ...ratioTable(names, ratiosOf),
    '**Scaling** (Troupe only; the loop is watched while 100,000 jobs are written at close)',
    '',
    ...table(systems.filter((system) => system.packages.includes('troupe')), ownColumns, valuesOf),
    '',
    '**Aims**',
    '',
    ...aims.map((aim) => aimLine(aim, valuesOf, ratiosOf)),
    '',
    '**What the systems promise for these figures**',
    '',
    ...notes.map((note) => `* ${note}`),
  ].join('\n')
}

function table(systems, columns, valuesOf) {
  const head = ['system', 'jobs live in', ...columns.map((column) => column.title)]
  const rows = systems.map(({ name, home }) => [
    name,
    home,
    ...columns.map(({ measure, key }) => spread(valuesOf(name, measure, key))),
  ])
  return markdown(head, rows)
}

function ratioTable(names, ratiosOf) {
  const rows = ratioRows
    .filter(([system, over]) => names.includes(system) && names.includes(over))
    .map(([system, over, shown]) => [
      `${system} / ${over}`,
      ...rateColumns.map(({ measure }) =>
        shown.includes(measure) ? spread(ratiosOf(system, over, measure)) : '',
      ),
    ])
  if (rows.length === 0) return []
  const head = ['ratio', ...rateColumns.map((column) => column.title)]
  return ['**Ratios** (taken within each round)', '', ...markdown(head, rows), '']
}

function aimLine({ system, over, measure, key, min, max, unit }, valuesOf, ratiosOf) {
  const values = over ? ratiosOf(system, over, measure) : valuesOf(system, measure, key)
  const { title } = [...rateColumns, ...costColumns, ...ownColumns].find(
    (column) => column.measure === measure && column.key === (key ?? 'rate'),
  )
  const what = `${title}, ${over ? `${system} / ${over}` : system}`
  const aim = over ? `at least ${min}` : `at most ${count(max)} ${unit}`
  if (values.length === 0) return `* not measured: ${what}, aim ${aim}`
  const median = quantile(values, 0.5)
  const reached = over ? median >= min : median <= max
  return `* ${reached ? 'reached' : '**not reached**'}: ${what}, aim ${aim}: ${spread(values)}`
}

function markdown(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}

function spread(values) {
  if (values.length === 0) return 'not measured'
  if (values.length === 1) return figure(values[0])
  const [low, high] = [Math.min(...values), Math.max(...values)].map(figure)
  return `${figure(quantile(values, 0.5))} (${low}–${high})`
}

function figure(value) {
  if (Math.abs(value) >= 100) return count(Math.round(value))
  if (Math.abs(value) >= 10) return value.toFixed(1)
  return value.toFixed(Math.abs(value) >= 1 ? 2 : 3)
}

const count = (value) => value.toLocaleString('en-US')
