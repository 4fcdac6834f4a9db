import type { JobPlan, Plan, Step } from './plan.ts'

type Fails = (plan: Plan) => Promise<boolean>

/** The plan with as little in it as still fails: steps, then jobs, then what they are given. */
export async function shrink(plan: Plan, fails: Fails, budget = 400): Promise<Plan> {
  let left = budget
  const still: Fails = async (candidate) => (left -= 1) >= 0 && fails(candidate)
  let smallest = plan
  for (let size = -1; size !== weight(smallest) && left > 0;) {
    size = weight(smallest)
    smallest = await fewerSteps(smallest, still)
    for (const change of simplifications) smallest = await change(smallest, still)
  }
  return smallest
}

function weight(plan: Plan): number {
  return JSON.stringify(plan).length
}

/** Takes out halves, quarters, and in the end single steps, as long as the rest still fails. */
async function fewerSteps(plan: Plan, fails: Fails): Promise<Plan> {
  let { steps } = plan
  for (let chunk = Math.ceil(steps.length / 2); chunk >= 1; chunk = Math.floor(chunk / 2)) {
    for (let from = 0; from < steps.length;) {
      const rest = [...steps.slice(0, from), ...steps.slice(from + chunk)]
      if (rest.length < steps.length && await fails({ ...plan, steps: rest })) steps = rest
      else from += chunk
    }
  }
  return { ...plan, steps }
}

async function tryEach(
  plan: Plan, fails: Fails, candidates: (plan: Plan) => Generator<Plan>,
): Promise<Plan> {
  for (const candidate of candidates(plan)) {
    if (await fails(candidate)) return tryEach(candidate, fails, candidates)
  }
  return plan
}

function* withStep(plan: Plan, change: (step: Step) => Generator<Step>): Generator<Plan> {
  for (const [index, step] of plan.steps.entries()) {
    for (const simpler of change(step)) yield { ...plan, steps: plan.steps.with(index, simpler) }
  }
}

function* fewerJobs(plan: Plan): Generator<Plan> {
  yield* withStep(plan, function* (step) {
    if ((step.type !== 'add' && step.type !== 'fill') || step.jobs.length < 2) return
    for (const job of step.jobs) yield { ...step, jobs: step.jobs.filter((each) => each !== job) }
  })
}

function* simplerJob(job: JobPlan): Generator<JobPlan> {
  if (job.parents.length > 0) yield { ...job, parents: [] }
  for (const key of Object.keys(job.options)) {
    const rest = Object.entries(job.options).filter(([name]) => name !== key)
    yield { ...job, options: Object.fromEntries(rest) }
  }
  if (job.acts.length > 1) yield { ...job, acts: job.acts.slice(0, -1) }
  if (job.acts.length === 1 && job.acts[0]?.act !== 'complete') {
    yield { ...job, acts: [{ act: 'complete' }] }
  }
}

function* simplerJobs(plan: Plan): Generator<Plan> {
  yield* withStep(plan, function* (step) {
    if (step.type !== 'add' && step.type !== 'flow' && step.type !== 'fill') return
    for (const [index, job] of step.jobs.entries()) {
      for (const simpler of simplerJob(job)) yield { ...step, jobs: step.jobs.with(index, simpler) }
    }
  })
}

function* fewerBounds(plan: Plan): Generator<Plan> {
  if (plan.rates.length > 1) yield { ...plan, rates: plan.rates.slice(0, -1) }
  if (plan.rates.some((rate) => rate !== 1)) yield { ...plan, rates: plan.rates.map(() => 1) }
  if (plan.clients.length > 0) yield { ...plan, clients: [] }
  if (plan.rate) yield { ...plan, rate: null }
  if (plan.perPartition !== null) yield { ...plan, perPartition: null }
  if (plan.maxQueued !== null) yield { ...plan, maxQueued: null }
  if (plan.pruned) yield { ...plan, pruned: false }
}

const simplifications = [fewerJobs, fewerBounds, simplerJobs].map((candidates) =>
  (plan: Plan, fails: Fails) => tryEach(plan, fails, candidates))
