import type { Chance } from './chance.ts'
import type { Act, JobPlan, QueueName, SchedulePlan, Step } from './plan.ts'

interface Size {
  readonly nodes: number
  readonly lastMs: number
}

/** So many occurrences of one schedule are enough. */
const mostOccurrences = 16

const acts: readonly Act[] = [
  { act: 'complete' }, { act: 'complete' }, { act: 'fail' }, { act: 'report' },
  { act: 'slow', ms: 300, end: 'complete' }, { act: 'slow', ms: 900, end: 'fail' },
]

/** Schedules that are set, and some of them changed, paused, triggered and removed. */
export function drawSchedules(chance: Chance, size: Size): Step[] {
  if (!chance.happens(0.35)) return []
  const keys = ['s1', 's2', 's3'].slice(0, chance.between(1, 3))
  return keys.flatMap((key) => drawSchedule(chance, size, 'images', key))
}

function drawSchedule(
  chance: Chance, { nodes, lastMs }: Size, queue: QueueName, key: string,
): Step[] {
  const begin = chance.between(0, Math.floor(lastMs * 0.6))
  const address = (): { node: number; queue: QueueName; key: string } =>
    ({ node: chance.between(0, nodes - 1), queue, key })
  let versions = 0
  const set = (at: number): Step => {
    const label = `${key} v${versions += 1}`
    return { type: 'schedule', ...address(), at, schedule: drawRule(chance, lastMs, at, label) }
  }
  const steps = [set(begin)]
  const later = (): number => chance.between(begin, lastMs)
  for (let left = chance.happens(0.5) ? chance.between(1, 4) : 0; left > 0; left -= 1) {
    const type = chance.pick([
      'schedule', 'pause schedule', 'resume schedule', 'unschedule',
    ] as const)
    steps.push(type === 'schedule' ? set(later()) : { type, ...address(), at: later() })
  }
  for (let left = chance.happens(0.4) ? chance.between(1, 3) : 0; left > 0; left -= 1) {
    steps.push({ type: 'trigger', ...address(), at: later() })
  }
  return steps
}

function drawRule(chance: Chance, lastMs: number, at: number, label: string): SchedulePlan {
  const untilMs = lastMs + chance.between(200, 2500)
  const shortest = Math.max(150, Math.ceil((untilMs - at) / mostOccurrences))
  const cron = chance.happens(0.3)
  return {
    cron, untilMs, label,
    every: cron ? chance.pick([1000, 2000]) : shortest + chance.between(0, 700),
    limit: chance.happens(0.15) ? chance.between(1, 5) : null,
    overlap: chance.pick(['allow', 'allow', 'skip', 'supersede'] as const),
    catchUp: chance.pick(['none', 'one', 'all', 'all'] as const),
    acts: [chance.pick(acts)],
  }
}

/** Jobs that wait for their time, which is moved. */
export function drawLater(chance: Chance, { nodes, lastMs }: Size): Step[] {
  if (!chance.happens(0.3)) return []
  const node = (): number => chance.between(0, nodes - 1)
  return ['l1', 'l2'].slice(0, chance.between(1, 2)).flatMap((id): Step[] => {
    const at = chance.between(0, lastMs)
    const job = { id, options: { delay: chance.pick([300, 1500]) }, parents: [] }
    return [
      { type: 'add', node: node(), at, jobs: [{ ...job, acts: [{ act: 'complete' }] }] },
      {
        type: 'reschedule', id, node: node(), ms: chance.pick([0, 100, 800, 2000]),
        at: at + chance.between(50, 290),
      },
    ]
  })
}

/** In the end a job waits for its time, and whoever would see that it has come is refused once. */
export function drawLast(chance: Chance, { nodes, lastMs }: Size): Step[] {
  if (!chance.happens(0.15)) return []
  const job: JobPlan = {
    id: 'z1', acts: [{ act: 'complete' }], options: { delay: 1500 }, parents: [],
  }
  const refused = Array.from({ length: nodes }, (_, node): Step =>
    ({ type: 'call', node, method: 'sweep', mishap: { type: 'refused' }, at: lastMs }))
  return [{ type: 'add', node: 0, jobs: [job], at: lastMs - 10 }, ...refused]
}

/** A queue that is filled, and obliterated while its handlers run. */
export function drawScratch(chance: Chance, size: Size): Step[] {
  if (!chance.happens(0.25)) return []
  const { nodes, lastMs } = size
  const node = (): number => chance.between(0, nodes - 1)
  const steps: Step[] = chance.happens(0.4) ? drawSchedule(chance, size, 'scratch', 'o1') : []
  let ids = 0
  const job = (): JobPlan => {
    const act = chance.pick<Act>([
      { act: 'hang' }, { act: 'hang' }, { act: 'deaf' }, ...acts,
    ])
    return { id: `o${ids += 1}`, acts: [act], options: {}, parents: [] }
  }
  for (let left = chance.between(1, 4); left > 0; left -= 1) {
    const jobs = Array.from({ length: chance.between(1, 4) }, job)
    const at = chance.between(0, lastMs)
    steps.push({ type: 'fill', node: node(), jobs, at })
    if (chance.happens(0.7)) {
      const soon = at + chance.between(0, 600)
      steps.push({ type: 'obliterate', node: node(), force: chance.happens(0.5), at: soon })
    }
  }
  return steps
}
