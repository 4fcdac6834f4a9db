import type { WireJob } from '../../../gateway/protocol.ts'
import { clockTime, dayOf, eventWords, span } from '../../shell/words.ts'
import { attemptsOf } from './steps.ts'
import type { Step } from './steps.ts'

const stamp = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g

/** The sentences of `explain`, with times in the viewer's zone. */
export function inOwnZone(text: string, now: number): string {
  return text.replaceAll(stamp, (found) => {
    const at = Date.parse(found)
    const day = dayOf(at, now)
    return `${day === 'today' ? '' : `${day} `}${clockTime(at)}`
  })
}

/** Shorter waits are not worth a word. */
const heardMs = 100
const ordinals = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth']

/** How the attempts before the last one went, and what it waited for since; or nothing. */
export function pastWords(job: WireJob, life: readonly Step[]): string {
  const attempts = attemptsOf(life)
  const before = attempts.slice(0, -1)
  const last = attempts.at(-1)
  if (!last || before.length === 0 || job.settledAt !== null) return ''
  const ends = before.slice(-3).map(({ number, end }) =>
    `the ${ordinals[number - 1] ?? `${String(number)}th`} ended by ${eventWords(end ?? 'nothing')}`)
  const waited = (leaf: string): number => last.waits.reduce((sum, { leaf: own, from, to }) =>
    (own === leaf && to !== null ? sum + to - from : sum), 0)
  const parts = [
    ...(waited('delayed') >= heardMs ? [`${span(waited('delayed'))} for its backoff`] : []),
    ...(waited('ready') >= heardMs ? [`${span(waited('ready'))} for a free slot`] : []),
  ]
  const text =
    `${ends.join(', ')}${parts.length === 0 ? '' : `; it then waited ${parts.join(' and ')}`}.`
  return `Of its attempts ${text}`
}
