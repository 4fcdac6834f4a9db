import { styleText } from 'node:util'
import type { JobRecord, State } from 'troupe'
import { inputOf, nameOf, resultOf } from './run.ts'

type Row = readonly string[]

const heads: Row = ['photo', 'width', 'state', 'attempts', 'ms', 'bytes']
const toTheRight: ReadonlySet<string> = new Set(['width', 'attempts', 'ms', 'bytes'])
const states: readonly State[] = [
  'completed', 'cancelled', 'failed', 'running', 'cancelling', 'queued',
]
const mostRows = 60

/** A table of what happened to each job, and the totals. A long one shows what is special. */
export function summarize(jobs: readonly JobRecord[]): string {
  const shown = jobs.length <= mostRows ? jobs : jobs.filter(isSpecial)
  const rows = [heads, ...shown.map(toRow), toTotal(jobs)]
  const widths = heads.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const [header, ...body] = rows.map((row) => row.map((cell, column) => {
    const width = widths[column] ?? 0
    return toTheRight.has(heads[column] ?? '') ? cell.padStart(width) : cell.padEnd(width)
  }).join('  ').trimEnd())
  const total = body.pop()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  const lines = shown.map((job, index) => paint(`${body[index] ?? ''}${remarkOn(job)}`, job.state))
  return ['', header, rule, ...lines, rule, total, '', describeStates(jobs)].join('\n')
}

function isSpecial({ state, attempt }: JobRecord): boolean {
  return state !== 'completed' || attempt > 1
}

function toRow(job: JobRecord): Row {
  const input = inputOf(job)
  return [
    nameOf(input), String(input.width), job.state,
    String(job.attempt), format(msOf(job)), format(bytesOf(job)),
  ]
}

/** Why a job failed or was cancelled, on a line of its own. */
function remarkOn({ state, error, reason }: JobRecord): string {
  const why = state === 'failed' ? error?.message ?? reason : state === 'cancelled' ? reason : null
  return why === null ? '' : `\n  ${why.split('\n', 1)[0]}`
}

function toTotal(jobs: readonly JobRecord[]): Row {
  const sum = (of: (job: JobRecord) => number): string =>
    format(jobs.reduce((total, job) => total + of(job), 0))
  return ['total', '', '', sum(({ attempt }) => attempt), sum(msOf), sum(bytesOf)]
}

function describeStates(jobs: readonly JobRecord[]): string {
  const counts = states
    .map((state) => ({ state, count: jobs.filter((job) => job.state === state).length }))
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => `${count} ${state}`)
  return `${jobs.length} jobs: ${counts.join(', ')}.`
}

/** How long the last attempt took. */
function msOf({ startedAt, settledAt }: JobRecord): number {
  return startedAt === null || settledAt === null ? 0 : settledAt - startedAt
}

function bytesOf(job: JobRecord): number {
  return resultOf(job)?.bytes ?? 0
}

function format(amount: number): string {
  return amount === 0 ? '' : amount.toLocaleString('en')
}

function paint(line: string, state: State | undefined): string {
  if (!process.stdout.isTTY || !process.stdout.hasColors()) return line
  if (state === 'failed') return styleText('red', line)
  return state === 'cancelled' ? styleText('yellow', line) : line
}
