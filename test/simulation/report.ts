import type { Coverage } from './coverage.ts'
import { jobEdges, queueEdges } from './coverage.ts'
import type { Plan } from './plan.ts'
import { shrink } from './shrink.ts'
import { simulate } from './simulation.ts'
import type { Outcome } from './simulation.ts'
import { story } from './story.ts'

/** The command that runs a simulation again. */
function replayCommand({ seed, store }: Plan): string {
  return `npm run simulate -- --runs 1 --seed ${seed} --store ${store}`
}

/** What is wrong with a run, on its shortest way: what broke, how to see it again, the story. */
export async function explainFailure(outcome: Outcome, budget = 400): Promise<string> {
  const [first] = outcome.failures
  if (!first) return 'nothing is wrong'
  const smallest = await shrink(outcome.plan, async (plan) =>
    (await simulate(plan)).failures.some(({ check }) => check === first.check), budget)
  const { failures } = await simulate(smallest)
  return [
    `seed ${outcome.plan.seed} breaks ${outcome.failures.map(({ check }) => check).join(', ')}`,
    `again: ${replayCommand(outcome.plan)}`,
    `the shortest story found:`,
    story(smallest),
    ...failures.map(({ check, how }) => `${check}\n    ${how}`),
    `its plan: ${JSON.stringify(smallest)}`,
  ].join('\n')
}

const table = (title: string, counts: ReadonlyMap<string, number>): string[] => [
  title,
  ...[...counts].sort(([, a], [, b]) => b - a)
    .map(([name, times]) => `  ${String(times).padStart(8)}  ${name}`),
]

/** What a number of simulations has seen, for people. */
export function coverageReport(coverage: Coverage): string {
  const { runs, jobs, events, transitions, missing } = coverage
  const seen = (known: ReadonlySet<string>, met: ReadonlyMap<string, number>): string =>
    `${[...known].filter((each) => met.has(each)).length} of ${known.size}`
  return [
    `${runs} simulations, ${jobs} jobs, ${transitions} transitions, ${events} turns`,
    ...table('faults', coverage.faults),
    ...table('what handlers did', coverage.acts),
    ...table('what users did', coverage.commands),
    ...table(`edges of the job's chart: ${seen(jobEdges, coverage.jobEdges)}`, coverage.jobEdges),
    ...table(
      `edges of the queue's chart: ${seen(queueEdges, coverage.queueEdges)}`, coverage.queueEdges,
    ),
    // A few runs say nothing of what all of them cover.
    ...runs < 200 ? [] : missing.map((each) => `not covered: ${each}`),
  ].join('\n')
}
