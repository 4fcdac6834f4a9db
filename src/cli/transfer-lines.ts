import { jobEventDescriptions } from '../../machines/job-events.ts'
import { parentFailurePolicies, phases, states } from '../../machines/vocabulary.ts'
import { timelineLimit } from '../records/job.ts'
import type { JobRecord } from '../records/job.ts'
import { toJson } from '../records/json.ts'
import { parentsLimit, parseName } from '../records/options.ts'
import type { LogEntry } from '../records/transition.ts'
import { exitCodes, messageOf, Refusal } from './exit.ts'

/** Written into the first line; another number means that an older program cannot read it. */
export const transferVersion = 2

/** An entry of a log as a line holds it. */
export type TransferEntry = Omit<LogEntry, 'cursor'>

/** One line of an export: the head, all jobs, all entries of the log, the end. */
export type TransferLine =
  | { readonly type: 'troupe-export'; readonly version: number; readonly from: string }
  | { readonly type: 'job'; readonly job: JobRecord }
  | { readonly type: 'transition'; readonly transition: TransferEntry }
  | { readonly type: 'end'; readonly jobs: number; readonly transitions: number }

/** Whether a value is what belongs there. */
type Check = (value: unknown) => boolean
type Fields<T> = { readonly [K in keyof T]-?: Check }

const isText: Check = (value) => typeof value === 'string'
const isName: Check = (value) => {
  try {
    return parseName(value, '') !== ''
  } catch {
    return false
  }
}
const isNumber: Check = (value) => typeof value === 'number'
/** Epoch milliseconds that are a date. */
const isTime: Check = (value) => typeof value === 'number' && value >= 0 && value <= 8.64e15
const isInteger = (min: number, max: number): Check => (value) =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max
const isCount = isInteger(0, 2 ** 31 - 1)
/** Those that are given from here on must be whole numbers, too. */
const isFence = isInteger(0, 2 ** 52)
const isOneOf = (known: readonly string[]): Check => (value) => known.some((one) => one === value)
const isNull: Check = (value) => value === null
const either = (...checks: readonly Check[]): Check => (value) =>
  checks.some((check) => check(value))
const orNull = (check: Check): Check => either(isNull, check)
const orMissing = (check: Check): Check => either((value) => value === undefined, check)
const isListOf = (check: Check, most: number): Check => (value) =>
  Array.isArray(value) && value.length <= most && value.every(check)
const isAny: Check = (value) => value !== undefined

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The first field that is wrong, missing or not known. */
function wrongField(value: Readonly<Record<string, unknown>>, fields: object): string | null {
  const checks = Object.entries(fields) as [string, Check][]
  const wrong = checks.find(([name, check]) =>
    !check(Object.hasOwn(value, name) ? value[name] : undefined))
  return wrong?.[0] ?? Object.keys(value).find((name) => !Object.hasOwn(fields, name)) ?? null
}

const hasFields = (fields: object): Check => (value) =>
  isObject(value) && wrongField(value, fields) === null

const isEvent = isOneOf([...Object.keys(jobEventDescriptions), 'add', 'remove'])
const isProgress = hasFields({
  current: isNumber, total: orNull(isNumber), message: orNull(isText), percent: orNull(isNumber),
})
const isError: Check = (value) => hasFields({
  name: isText, message: isText, code: orMissing(isText), stack: orMissing(isText),
  cause: orMissing(isError), truncated: orMissing((is) => is === true),
})(value)
const isBackoff = either(
  hasFields({ type: isOneOf(['fixed']), delayMs: isNumber, jitter: isNumber }),
  hasFields({
    type: isOneOf(['exponential']), delayMs: isNumber, maxMs: isNumber, jitter: isNumber,
  }),
  hasFields({ type: isOneOf(['custom']) }),
)
const policyFields = {
  retries: isCount, backoff: isBackoff, timeoutMs: orNull(isNumber), maxStalls: isCount,
  cancelGraceMs: isNumber,
}
const isOptions = hasFields(Object.fromEntries(
  Object.entries(policyFields).map(([name, check]) => [name, orMissing(check)]),
))
const isLogLine = hasFields({ at: isTime, attempt: isCount, text: isText })
const isTimelineEntry = hasFields({
  at: isTime, event: isEvent, to: isOneOf([...states, ...phases]), attempt: isCount, by: isText,
})

const jobFields: Fields<JobRecord> = {
  id: isName, queue: isName, task: isName, input: isAny, state: isOneOf(states),
  phase: orNull(isOneOf(phases)), priority: isInteger(-1000, 1000), rev: isCount,
  createdAt: isTime, runAt: isTime, ttlMs: orNull(isNumber), expiresAt: orNull(isTime),
  startedAt: orNull(isTime), settledAt: orNull(isTime), attempt: isCount, failures: isCount,
  stalls: isCount, releases: isCount, fence: isFence,
  lease: orNull(hasFields({ worker: isText, until: isTime })),
  policy: orNull(hasFields(policyFields)), openParents: isCount,
  onParentFailure: isOneOf(parentFailurePolicies), progress: orNull(isProgress), result: isAny,
  error: orNull(isError), reason: orNull(isText), by: orNull(isText),
  label: orNull(isText), meta: isAny, partition: orNull(isName),
  dependsOn: isListOf(isName, parentsLimit),
  parentKeys: orNull(isListOf(orNull(isText), parentsLimit)), after: orNull(isName),
  dedupe: orNull(hasFields({ key: isName, until: orNull(isTime) })),
  log: orNull(hasFields({ lines: isListOf(isLogLine, 1000), dropped: isCount })),
  trace: orNull(isText), options: isOptions, timeline: isListOf(isTimelineEntry, timelineLimit),
  operation: orNull(isText),
}

/** What a settled job has no more, or has from then on. */
const settledFields: Partial<Fields<JobRecord>> = {
  phase: isNull, lease: isNull, expiresAt: isNull, settledAt: isTime,
}

const entryFields: Fields<TransferEntry> = {
  seq: isNumber, at: isTime, queue: isName, jobId: isName, rev: isCount, task: isName,
  event: isEvent, from: orNull(isOneOf(states)), to: orNull(isOneOf(states)),
  phase: orNull(isOneOf(phases)), attempt: isCount, fence: isFence, by: isText,
  reason: orNull(isText), progress: orNull(isProgress), error: orNull(isError),
}

/** A checked line of an export; `number` is its place in the file. */
export function parseLine(text: string, number: number): TransferLine {
  const wrong = (why: string): Refusal =>
    new Refusal(exitCodes.usage, `line ${number} is no line of an export: ${why}`)
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch (error) {
    throw wrong(messageOf(error))
  }
  const type = isObject(line) ? line['type'] : null
  if (!isObject(line) || (number === 1) !== (type === 'troupe-export')) {
    throw wrong(number === 1 ? 'the first one must be of the type troupe-export' : 'a second head')
  }
  const fault = faultOf(line)
  if (fault !== null) throw wrong(fault)
  return line as unknown as TransferLine
}

function faultOf(line: Readonly<Record<string, unknown>>): string | null {
  const { type, version } = line
  switch (type) {
    case 'troupe-export':
      return version === transferVersion
        ? null : `its version is ${String(version)}, and this is ${transferVersion}`
    case 'job': return faultIn('job', line['job'], jobFields)
    case 'transition': return faultIn('transition', line['transition'], entryFields)
    case 'end': return null
    default: return `its type is ${JSON.stringify(type)}`
  }
}

function faultIn(path: string, value: unknown, fields: object): string | null {
  if (!isObject(value)) return `it has no ${path}`
  try {
    // Depth first: what follows goes down into the fields. Bounds of size are the target's own.
    for (const [name, field] of Object.entries(value)) toJson(field, `${path}.${name}`, Infinity)
  } catch (error) {
    return messageOf(error)
  }
  const state = path === 'job' ? value['state'] : null
  const isEnded = state === 'completed' || state === 'failed' || state === 'cancelled'
  const wrong = wrongField(value, isEnded ? { ...fields, ...settledFields } : fields)
  return wrong === null ? null : `${path}.${wrong} is missing or makes no sense`
}
