/** Figures and times as people read them. All of them keep their width as far as they can. */

const whole = new Intl.NumberFormat('en-US')

/** `1,204`. */
export function count(value: number): string {
  return whole.format(value)
}

/** `1,204 jobs`, `1 job`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** Events a second: `12.1/s`, `0.04/s`, `1,240/s`. */
export function rate(perSecond: number): string {
  if (perSecond >= 100) return `${count(Math.round(perSecond))}/s`
  if (perSecond >= 1) return `${perSecond.toFixed(1)}/s`
  if (perSecond > 0 && perSecond < 0.01) return '<0.01/s'
  return perSecond === 0 ? '0/s' : `${perSecond.toFixed(2)}/s`
}

const steps = [
  { from: 86_400_000, unit: 'd', perUnit: 86_400_000 },
  { from: 3_600_000, unit: 'h', perUnit: 3_600_000 },
  { from: 60_000, unit: 'min', perUnit: 60_000 },
] as const

/** A span of time: `0.9 s`, `42 s`, `26 min`, `3 h`, `6 d`. The parts never break. */
export function span(ms: number): string {
  const step = steps.find(({ from }) => ms >= from)
  if (step) return `${count(Math.floor(ms / step.perUnit))}\u00a0${step.unit}`
  const seconds = Math.max(0, ms) / 1000
  return `${seconds < 9.95 ? seconds.toFixed(1) : String(Math.floor(seconds))}\u00a0s`
}

/** How long ago, in whole units: `12 s`, `2 min`. */
export function ago(ms: number): string {
  return ms < 60_000 ? `${String(Math.max(0, Math.floor(ms / 1000)))}\u00a0s` : span(ms)
}

const timeOfDay = new Intl.DateTimeFormat('en-GB', {
  hour: '2-digit', minute: '2-digit', second: '2-digit',
})
const hourMinute = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const dayTime = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit',
  second: '2-digit', timeZoneName: 'short',
})

/** `14:32:08` in the viewer's zone. */
export function clockTime(at: number): string {
  return timeOfDay.format(at)
}

/** `14:32:08.123`. */
export function exactTime(at: number): string {
  return `${timeOfDay.format(at)}.${String(Math.floor(at) % 1000).padStart(3, '0')}`
}

/** `14:32`. */
export function shortTime(at: number): string {
  return hourMinute.format(at)
}

/** `today`, or `21 Nov`. */
export function dayOf(at: number, today: number): string {
  const text = day.format(at)
  return text === day.format(today) ? 'today' : text
}

/** All of it, with the zone: for titles. */
export function fullTime(at: number): string {
  return dayTime.format(at)
}

/** An event of the chart in words: `parentFailed` becomes `parent failed`. */
export function eventWords(event: string): string {
  return event.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}
