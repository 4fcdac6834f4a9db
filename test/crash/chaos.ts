import { setTimeout as sleep } from 'node:timers/promises'
import { brokenChecks } from '../../src/testing/history.ts'
import { linesOf, ofQueue } from '../../src/testing/history/journal.ts'
import type { History } from '../../src/testing/history/journal.ts'
import { noLimits } from '../../src/stores/store.ts'
import type { Limits } from '../../src/stores/store.ts'
import type { Client } from './client.ts'
import type { Fleet } from './fleet.ts'

/** The lease of all workers here; the default would make each pause take half a minute. */
export const lease = '2s'
export const leaseMs = 2000

const concurrency = 4
const rate = { max: 3, per: 100 }
const perPartition = 2

/** One queue without limits and one with all of them; everything is kept. */
const retention = { completed: 1e7, failed: 1e7, log: 1e8 }
const common = { concurrency, retention, defaults: { retries: 3, backoff: 5, maxStalls: 1000 } }
export const queues = [
  { name: 'free', settings: common, limits: noLimits },
  {
    name: 'bound',
    settings: { ...common, rateLimit: rate, concurrencyPerPartition: perPartition },
    limits: {
      rate: { max: rate.max, perMs: rate.per, perPartition: false }, perPartition,
    } satisfies Limits,
  },
] as const
const names = queues.map(({ name }) => name)

/** How many jobs a test of this size feeds to its fleet; the rest is the fleet's own. */
export function jobsOf(normally: number): number {
  return Number(process.env['TROUPE_CRASH_JOBS'] ?? normally)
}

/** Callers that add at the same time: one that has to wait keeps nobody else from it. */
const callers = 4

/** Feeds jobs at an even pace until there are enough; every fourth group is a graph. */
export async function feed(client: Client, jobs: number, perSecond: number): Promise<void> {
  const since = performance.now()
  for (const name of names) client.observe(name)
  let round = 0
  const call = async (): Promise<void> => {
    while (client.added < jobs) {
      round += 1
      if (round % 4 === 0) await client.addFlow('free')
      else if (round % 5 === 0) {
        await client.addSome('bound', 10, { partition: `p${round % 3}` })
      } else await client.addSome('free', 10, { delay: round % 3 === 0 ? 50 : 0 })
      const due = since + client.added / perSecond * 1000
      await sleep(Math.max(0, due - performance.now()))
    }
  }
  await Promise.all(Array.from({ length: callers }, call))
}

/** Goes on with `strike` until `work` is over. */
export async function during(work: Promise<void>, strike: () => Promise<void>): Promise<void> {
  let over = false
  const ended = (): void => { over = true }
  work.then(ended, ended)
  while (!over) await strike()
  await work
}

export interface Figures {
  jobs: number
  processes: number
  transitions: number
  attempts: number
  stalls: number
  /** Handlers that were aborted because their lease was lost. */
  lost: number
  /** The longest that what a killed process ran was left lying. */
  orphanedMs: number
  refusals: number
  seconds: number
}

/** Waits for the end, stops the fleet, and holds all that has happened to the promises. */
export async function judge(fleet: Fleet, client: Client, since: number): Promise<Figures> {
  await fleet.added()
  const faults: string[] = []
  const amiss = await client.settled(names, 20_000 + 3 * leaseMs)
  if (amiss !== null) faults.push(amiss)
  const codes = await fleet.stop()
  if (codes.some((code) => code !== 0)) faults.push(`the workers ended with ${codes.join()}`)
  const figures: Figures = {
    jobs: 0, processes: fleet.started, transitions: 0, attempts: 0, stalls: 0, lost: 0,
    orphanedMs: 0, refusals: client.refusals.length, seconds: 0,
  }
  for (const queue of queues) {
    const history = await historyOf(fleet, client, queue)
    for (const [promise, how] of brokenChecks(history)) {
      faults.push(`${queue.name}: ${promise}\n    ${how}`)
    }
    const untold = history.log.length - (history.told?.[0]?.length ?? 0)
    if (untold !== 0) faults.push(`${queue.name}: an observer was not told of ${untold}`)
    figures.jobs += history.records.length
    figures.transitions += history.log.length
    figures.attempts += linesOf(history, 'start').length
    figures.stalls += history.log.filter(({ event }) => event === 'stall').length
    figures.orphanedMs = Math.max(figures.orphanedMs, orphanedMs(history, fleet))
    figures.lost += linesOf(history, 'end')
      .filter(({ line: { aborted } }) => aborted === 'lease-lost').length
  }
  figures.seconds = Math.round((performance.now() - since) / 1000)
  if (faults.length === 0) return figures
  const said = `The workers: ${fleet.complaints.slice(-4000)}\nThe client: ${
    client.refusals.slice(-5).join('\n')}`
  throw new Error(`${faults.join('\n')}\n\n${JSON.stringify(figures)}\n${said}`)
}

/** How long it took at most until what a killed process ran was taken back. */
function orphanedMs({ log, journals }: History, { deaths }: Fleet): number {
  const taken = new Map(log
    .filter(({ event }) => event === 'stall' || event === 'release')
    .map(({ fence, at }) => [fence, at]))
  let longest = 0
  for (const { process, lines } of journals) {
    const at = deaths.get(process)
    if (at === undefined) continue
    for (const line of lines) {
      const back = line.what === 'start' ? taken.get(line.fence) : undefined
      if (back !== undefined) longest = Math.max(longest, back - at)
    }
  }
  return longest
}

async function historyOf(
  fleet: Fleet, client: Client, { name, limits }: (typeof queues)[number],
): Promise<History> {
  const { journals, ...known } = await client.history(name)
  return {
    ...known, bounds: { concurrency, limits },
    journals: [...journals, ...fleet.journals.map((journal) => ofQueue(journal, name))],
  }
}
