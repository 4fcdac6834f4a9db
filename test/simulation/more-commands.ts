import { TroupeError } from 'troupe'
import type { ScheduleRule } from 'troupe'
import type { Call } from './diary.ts'
import { insist } from './insist.ts'
import type { Node } from './node.ts'
import type { Command, ScheduleCommand, SchedulePlan, ScratchCommand } from './plan.ts'
import { bootMs, epoch } from './scheduler.ts'

export function isScheduleCommand(command: Command): command is ScheduleCommand {
  return 'key' in command
}

/** What is done to a schedule. */
export async function keepSchedule(
  command: ScheduleCommand, node: Node, call: Call,
): Promise<unknown> {
  const { key } = command
  const queue = command.queue === 'images' ? node.queue : node.scratch
  if (!queue) return null
  const { schedules } = queue
  switch (command.type) {
    case 'schedule': {
      const { overlap, catchUp, limit, label, acts } = command.schedule
      const spec = {
        ...ruleOf(command.schedule), ...(limit === null ? {} : { limit }), overlap, catchUp, label,
        task: 'work' as const, input: { acts },
      }
      return insist(node, call, () => schedules.upsert(key, spec)).catch(tooLate)
    }
    case 'unschedule': return insist(node, call, () => schedules.remove(key))
    case 'pause schedule': return insist(node, call, () => schedules.pause(key))
    case 'resume schedule': return insist(node, call, () => schedules.resume(key))
    case 'trigger': {
      // Once more would be another job.
      const handle = await schedules.trigger(key)
      if (command.queue === 'images') node.book.added(handle.id)
      return handle.id
    }
  }
}

function ruleOf({ every, cron, untilMs }: SchedulePlan): ScheduleRule {
  const endAt = epoch + bootMs + untilMs
  return cron ? { cron: `*/${every / 1000} * * * * *`, endAt } : { every, endAt }
}

/** Nothing was left of its time. */
function tooLate(error: unknown): 'too late' {
  const late = error instanceof TroupeError && error.code === 'invalid-option' &&
    error.details.path === 'schedule.endAt'
  if (late) return 'too late'
  throw error
}

/** Adds jobs to the queue that may be obliterated. */
export async function fill(
  { jobs }: Extract<ScratchCommand, { readonly type: 'fill' }>, node: Node, call: Call,
): Promise<void> {
  const { scratch } = node
  if (!scratch) return
  await insist(node, call, () => scratch.addMany(jobs.map(({ id, acts }) =>
    ({ task: 'work' as const, input: { acts }, id }))))
}
