import { stripVTControlCharacters } from 'node:util'
import type { Progress, State } from '../../machines/vocabulary.ts'
import { span } from '../orchestrator/explain-text.ts'
import type { JobLine } from './fleet.ts'
import type { Paint } from './terminal.ts'

const stateStyles = {
  queued: 'blue', running: 'cyan', cancelling: 'yellow', completed: 'green', failed: 'red',
  cancelled: 'yellow',
} as const

export function paintState(paint: Paint, state: State, text: string = state): string {
  return paint(stateStyles[state], text)
}

/** Text of a job must not steer the terminal that shows it. */
export function plain(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}

/** Columns as wide as their widest cell; the last one is not filled up. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, stripVTControlCharacters(cell).length)
    }
  }
  return rows.map((row) => row.map((cell, column) => {
    const missing = (widths[column] ?? 0) - stripVTControlCharacters(cell).length
    return column === row.length - 1 ? cell : cell + ' '.repeat(missing)
  }).join('  ').trimEnd()).join('\n')
}

export function ago(time: number | null, now: number): string {
  if (time === null) return ''
  return time > now ? `in ${span(time - now)}` : `${span(now - time)} ago`
}

export function iso(time: number | null): string {
  return time === null ? '' : new Date(time).toISOString()
}

const barWidth = 20

export function progressBar(progress: Progress | null): string {
  if (progress === null) return ''
  const { percent, current, message } = progress
  const said = message === null ? '' : ` ${plain(message)}`
  if (percent === null) return `${current}${said}`
  const full = Math.round((percent / 100) * barWidth)
  return `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${Math.round(percent)}%${said}`
}

export function progressText(progress: Progress | null): string {
  if (progress === null) return ''
  const { percent, current, message } = progress
  const figure = percent === null ? String(current) : `${percent}%`
  return message === null ? figure : `${figure} ${plain(message)}`
}

export const lineTitles = ['ID', 'QUEUE', 'TASK', 'STATE', 'ADDED', '']

/** A job in one row of a table. */
export function lineOf(job: JobLine, now: number, paint: Paint): readonly string[] {
  const { id, queue, task, state, phase, createdAt } = job
  const shownState = phase === null ? state : `${state} (${phase})`
  return [
    plain(id), plain(queue), plain(task), paintState(paint, state, shownState),
    ago(createdAt, now), remark(job, now),
  ]
}

function remark({ state, phase, label, progress, error, reason, runAt }: JobLine, now: number) {
  const parts = [
    label,
    phase === 'delayed' ? `runs ${ago(runAt, now)}` : null,
    state === 'running' ? progressText(progress) : null,
    state === 'failed' || state === 'cancelled' ? reason : null,
    state === 'failed' && error ? `${error.name}: ${error.message}` : null,
  ]
  return plain(parts.filter((part) => part !== null && part !== '').join('; ')).slice(0, 200)
}
