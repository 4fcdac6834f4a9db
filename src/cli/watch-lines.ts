import type { Transition } from '../records/transition.ts'
import { iso, paintState, plain, progressText } from './rendering.ts'
import type { Paint } from './terminal.ts'

/** A transition in one line. */
export function transitionLine(transition: Transition, paint: Paint): string {
  const { at, queue, task, jobId, event, to, phase, attempt, progress, reason, error } = transition
  const state = to === null ? 'removed' : paintState(paint, to, phase ?? to)
  const said = [
    to === 'running' ? progressText(progress) : '', reason ?? '',
    error && to !== 'running' ? `${error.name}: ${error.message}` : '',
  ]
  const remark = plain(said.filter((text) => text !== '').join('; '))
  return [
    paint('dim', iso(at)), plain(queue), plain(task), plain(jobId), event, state,
    `attempt ${attempt}`, remark,
  ].join(' ').trimEnd()
}
