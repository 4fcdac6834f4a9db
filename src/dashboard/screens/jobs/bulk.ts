import { signal } from '@preact/signals'
import type { State } from '../../../../machines/vocabulary.ts'
import type { WireJobLine } from '../../../gateway/protocol.ts'
import type { BulkAnswer } from '../../../orchestrator/bulk.ts'
import type { JobFilterOptions } from '../../../orchestrator/filter.ts'
import { client, toError } from '../../shell/session.ts'
import { tell } from '../../shell/toasts.tsx'
import { count, counted } from '../../shell/words.ts'
import { filterOf } from './filter.ts'
import type { JobsView } from './filter.ts'

export type Verb = 'cancel' | 'retry' | 'remove'

/** Which states a verb is for. */
export const statesOf: Readonly<Record<Verb, readonly State[]>> = {
  retry: ['failed', 'cancelled'], cancel: ['queued', 'running'],
  remove: ['completed', 'failed', 'cancelled'],
}
export const kindOf: Readonly<Record<Verb, string>> = {
  retry: 'failed or cancelled', cancel: 'unsettled', remove: 'settled',
}
const done: Readonly<Record<Verb, string>> = {
  retry: 'retried', cancel: 'cancelled', remove: 'removed',
}

/** The verb on all jobs that match; null when it is for none of them. */
export function filterFor(verb: Verb, view: JobsView, now: number): JobFilterOptions | null {
  const filter = filterOf(view, now)
  if (view.phase !== null) return verb === 'cancel' ? filter : null
  const wanted = view.states.length === 0 ? statesOf[verb]
    : statesOf[verb].filter((state) => view.states.includes(state))
  return wanted.length === 0 ? null : { ...filter, state: wanted }
}

/** Something that goes on: `total` is what the preview found. */
export interface Work {
  readonly verb: Verb
  readonly matched: number
  readonly total: number
}
export const work = signal<Work | null>(null)
/** What the last verb did before it failed, and why; until somebody has read it. */
export const broken = signal<string | null>(null)

/** How many jobs a verb would meet. Nothing is changed. */
export async function preview(
  verb: Verb, queues: readonly string[], filter: JobFilterOptions,
  tellSoFar: (jobs: number) => void,
): Promise<number> {
  let before = 0
  for (const queue of queues) {
    const { matched } = await run(verb, queue, filter, {
      dryRun: true, onProgress: (soFar) => { tellSoFar(before + soFar.matched) },
    })
    before += matched
    tellSoFar(before)
  }
  return before
}

/** Does it, and tells how far it is and what came of it; answers whether all of it was done. */
export async function doToAll(
  verb: Verb, queues: readonly string[], filter: JobFilterOptions, total: number,
): Promise<boolean> {
  return carryOut(verb, total, async (note) => {
    let before: BulkAnswer = { matched: 0, done: 0 }
    for (const queue of queues) {
      const add = ({ matched, done: changed }: BulkAnswer): BulkAnswer =>
        ({ matched: before.matched + matched, done: before.done + changed })
      const answer = await run(verb, queue, filter, {
        onProgress: (soFar) => { note(add(soFar)) },
      })
      before = add(answer)
      note(before)
    }
  })
}

/** The verb on each of these, a few at a time. */
export async function doToSome(verb: Verb, lines: readonly WireJobLine[]): Promise<boolean> {
  const rest = [...lines]
  let matched = 0
  let changed = 0
  return carryOut(verb, lines.length, async (note) => {
    const worker = async (): Promise<void> => {
      for (let line = rest.shift(); line; line = rest.shift()) {
        const answer = await client.queue(line.queue)[verb](line.id)
        matched += 1
        if (isDone[verb].includes(answer)) changed += 1
        note({ matched, done: changed })
      }
    }
    await Promise.all([worker(), worker(), worker(), worker()])
  })
}

async function carryOut(
  verb: Verb, total: number, act: (note: (soFar: BulkAnswer) => void) => Promise<void>,
): Promise<boolean> {
  let figures: BulkAnswer = { matched: 0, done: 0 }
  work.value = { verb, matched: 0, total }
  broken.value = null
  try {
    await act((soFar) => {
      figures = soFar
      work.value = { verb, matched: soFar.matched, total }
    })
    tell(outcome(verb, figures.matched, figures.done))
    return true
  } catch (error) {
    broken.value = `${count(figures.done)} of ${counted(total, 'job')} ${done[verb]}, ` +
      `and these stay so. Then: ${toError(error).message}`
    return false
  } finally {
    work.value = null
  }
}

const isDone: Readonly<Record<Verb, readonly string[]>> = {
  retry: ['retried'], cancel: ['cancelled', 'cancelling'], remove: ['removed'],
}

function outcome(verb: Verb, matched: number, changed: number): string {
  const what = verb === 'cancel' ? 'cancelled, or told to end' : done[verb]
  if (changed === matched) return `${counted(changed, 'job')} ${what}`
  return `${count(changed)} of ${counted(matched, 'job')} ${what}; ` +
    (verb === 'remove' ? 'others are still waited for, or had moved on' : 'others had moved on')
}

function run(
  verb: Verb, queue: string, filter: JobFilterOptions,
  options: { dryRun?: boolean; onProgress: (answer: BulkAnswer) => void },
): Promise<BulkAnswer> {
  const face = client.queue(queue)
  if (verb === 'retry') return face.retryMany(filter, options)
  if (verb === 'cancel') return face.cancelMany(filter, options)
  return face.clean(filter, options)
}
