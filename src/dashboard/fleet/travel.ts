import { batch, effect, signal, untracked } from '@preact/signals'
import type { WireMoment } from '../../gateway/fleet-protocol.ts'
import { every, now } from '../page-env.ts'
import { shownMoment } from '../shell/header.tsx'
import { toError } from '../shell/session.ts'
import { clockTime, dayOf } from '../shell/words.ts'
import type { History } from './history.ts'

/** Rates of a moment are of this long before it. */
const momentWindowMs = 10_000
export const speeds = ['1', '10', '60'] as const
export type Speed = (typeof speeds)[number]
const tickMs = 250

/** The log that the scrubber goes over; null until there is one. */
export const history = signal<History | null>(null)
/** The moment that is shown (epoch ms); null: now. */
export const moment = signal<number | null>(null)
/** What the log says of that moment; null while it is asked, and when now is shown. */
export const frame = signal<WireMoment | null>(null)
/** Why the moment cannot be shown. */
export const frameError = signal<Error | null>(null)
export const isPlaying = signal(false)
export const speed = signal<Speed>('1')

/** Shows a moment; what lies behind the end of the log is the end, or now. */
export function travelTo(time: number): void {
  const log = history.value
  if (!log) return
  const end = log.end ?? now()
  if (time >= end && log.end === null) goLive()
  else moment.value = Math.min(time, end)
}

/** Back to now; an imported log has none, and stays. */
export function goLive(): void {
  batch(() => {
    isPlaying.value = false
    if (history.value?.end !== null && history.value !== null) return
    moment.value = null
    frame.value = null
    frameError.value = null
  })
}

/** To the next transition, or to the one before. */
export async function step(direction: 'next' | 'previous'): Promise<void> {
  const log = history.value
  if (!log) return
  isPlaying.value = false
  const time = moment.value ?? now()
  try {
    const shown = frame.value?.time === time ? frame.value : await log.moment(time, momentWindowMs)
    if (!shown.kept) return
    const to = shown[direction]
    if (to !== null) moment.value = to
  } catch (error) {
    frameError.value = toError(error)
  }
}

export function togglePlay(): void {
  if (!isPlaying.value && moment.value === null) return
  isPlaying.value = !isPlaying.value
}

let asking = false

/** One question at a time: while it is under way, moments that were passed by are not asked. */
async function follow(): Promise<void> {
  if (asking) return
  asking = true
  for (;;) {
    const time = moment.value
    const log = history.value
    if (time === null || !log) break
    try {
      const found = await log.moment(time, momentWindowMs)
      if (moment.value !== null) batch(() => {
        frame.value = found
        frameError.value = null
      })
    } catch (error) {
      frameError.value = toError(error)
    }
    if (moment.value === time) break
  }
  asking = false
}

effect(() => {
  const time = moment.value
  shownMoment.value = time === null ? null : `${clockTime(time)} ${dayOf(time, now())}`
  if (time !== null && history.value) untracked(() => { void follow() })
})

every(tickMs, () => {
  const time = moment.value
  if (isPlaying.value && time !== null) travelTo(time + tickMs * Number(speed.value))
  if (history.value && history.value.end !== null && time === history.value.end) {
    isPlaying.value = false
  }
})
