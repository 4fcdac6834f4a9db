import type { Mishap } from './link.ts'
import type { Act, JobPlan, Plan, Step } from './plan.ts'

const actWords: Readonly<Record<Act['act'], string>> = {
  'complete': 'completes', 'fail': 'fails', 'fatal': 'fails for good', 'snooze': 'snoozes',
  'limit': 'says that a limit was reached', 'report': 'reports three times and completes',
  'hang': 'hangs until it is aborted', 'deaf': 'hangs, and does not hear its signal',
  'slow': 'takes', 'block': 'blocks its process for', 'crash': 'kills its process',
  'throw': 'throws at once', 'throw nothing': 'throws undefined', 'unfit': 'returns no JSON',
}

function actStory(act: Act): string {
  const words = 'ms' in act ? `${actWords[act.act]} ${act.ms} ms` : actWords[act.act]
  return act.act === 'slow' && act.end !== 'complete' ? `${words} to ${act.end}` : words
}

function jobStory({ id, acts, options, parents }: JobPlan): string {
  const after = parents.length > 0 ? ` after ${parents.join(', ')}` : ''
  const given = Object.keys(options).length > 0 ? ` with ${JSON.stringify(options)}` : ''
  return `${id}${after}${given} (it ${acts.map(actStory).join(', then ')})`
}

const mishapWords: Readonly<Record<Mishap['type'], string>> = {
  'late': 'arrives late, by', 'refused': 'is refused',
  'answer lost': 'takes effect, and its answer is lost',
  'repeated': 'takes effect, and once more after',
}

function stepStory(step: Step): string {
  switch (step.type) {
    case 'add': return `node ${step.node} adds ${step.jobs.map(jobStory).join(' and ')}`
    case 'flow': return `node ${step.node} adds the flow ${step.jobs.map(jobStory).join(' and ')}`
    case 'cancel': case 'retry': case 'remove': case 'wait for':
      return `node ${step.node}: ${step.type} ${step.id}`
    case 'schedule': {
      const { key, schedule: { every, untilMs, overlap, catchUp, limit } } = step
      const most = limit === null ? '' : `, ${limit} times at most`
      return `node ${step.node}: schedule ${key} of ${step.queue}, every ${every} ms until ` +
        `${untilMs} ms, overlap ${overlap}, catch up ${catchUp}${most}`
    }
    case 'unschedule': case 'pause schedule': case 'resume schedule': case 'trigger':
      return `node ${step.node}: ${step.type} ${step.key} of ${step.queue}`
    case 'fill': return `node ${step.node} fills scratch: ${step.jobs.map(jobStory).join(' and ')}`
    case 'obliterate':
      return `node ${step.node} obliterates scratch${step.force ? ' by force' : ''}`
    case 'reschedule': return `node ${step.node}: reschedule ${step.id} to ${step.ms} ms from now`
    case 'finish': return `a handler that waits is told to ${step.how}`
    case 'call': {
      const { mishap, method, node } = step
      const ms = 'ms' in mishap ? ` ${mishap.ms} ms` : ''
      return `the next ${method ?? 'call'} of node ${node} ${mishapWords[mishap.type]}${ms}`
    }
    case 'crash': return `node ${step.node} dies${back(step.backMs)}`
    case 'stop': return `node ${step.node} stops, grace ${step.graceMs} ms${back(step.backMs)}`
    case 'freeze': return `node ${step.node} is frozen for ${step.ms} ms`
    case 'cut': return `node ${step.node} is cut off for ${step.ms} ms, ${step.how}`
    case 'clock jump': return `the wall clock of node ${step.node} jumps by ${step.ms} ms`
    case 'power cut': return `the power goes at change ${step.change} of the disk from now`
    case 'disk error': return `change ${step.change} of the disk from now fails with ${step.code}`
    case 'lying sync': return `a sync lies, ${step.change} changes of the disk from now`
    default: return `node ${step.node}: ${step.type}`
  }
}

function back(ms: number | null): string {
  return ms === null ? '' : `, and is back after ${ms} ms`
}

/** A plan in words, one line for each thing that happens. */
export function story(plan: Plan): string {
  const { rate, perPartition, maxQueued, clients, concurrency, pruned } = plan
  const { leaseMs, rates, store } = plan
  const bounds = [
    rate ? `${rate.max} starts in ${rate.per} ms` : '',
    perPartition === null ? '' : `${perPartition} of a partition`,
    maxQueued === null ? '' : `${maxQueued} queued at most`,
    clients.length > 0 ? `node ${clients.join(' and ')} never starts` : '',
    pruned ? 'what has settled is soon pruned' : '',
  ].filter((each) => each !== '')
  return [
    `${rates.length} nodes on one ${store} store, ${concurrency} slots each, ` +
      `a lease of ${leaseMs} ms${bounds.map((each) => `, ${each}`).join('')}`,
    ...plan.steps.map((step) => `  ${String(step.at).padStart(6)} ms  ${stepStory(step)}`),
    `  ${String(plan.faultsEndAt).padStart(6)} ms  nothing goes wrong any more`,
  ].join('\n')
}
