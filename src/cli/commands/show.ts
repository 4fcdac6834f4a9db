import { Command } from 'commander'
import { systemEnv } from '../../env.ts'
import type { FleetQueue, JobView } from '../fleet.ts'
import { ago, iso, paintState, plain, progressBar, table } from '../rendering.ts'
import { queueOf } from '../shell.ts'
import type { Shell } from '../shell.ts'
import type { Paint } from '../terminal.ts'

export function showCommand(shell: Shell): Command {
  return new Command('show')
    .description('Show all that is known of jobs.')
    .argument('<ids...>', 'ids of jobs')
    .option('--queue <queue>', 'the queue of the jobs; default: the one that has them')
    .addHelpText('after', `
Examples:
  troupe show 4f9aTq
  troupe show 4f9aTq --json | jq .result`)
    .action(async (ids: string[], flags: { readonly queue?: string }) => {
      await shell.withFleet(async (fleet) => {
        for (const id of ids) {
          const job = await find(await queueOf(fleet, id, flags.queue), id, shell)
          if (job) await shell.say(job, describe(job, systemEnv.now(), shell.terminal.paint))
        }
      })
    })
}

async function find(queue: FleetQueue, id: string, shell: Shell): Promise<JobView | null> {
  const job = await queue.get(id)
  if (!job) {
    shell.saidNo()
    shell.terminal.note(`troupe: the queue ${queue.name} has no job "${id}"`)
  }
  return job
}

function describe(job: JobView, now: number, paint: Paint): string {
  const { error, log, timeline } = job
  const facts: readonly (readonly [string, string])[] = [
    ['id', job.id], ['queue', job.queue], ['task', job.task], ['label', job.label ?? ''],
    ['added', moment(job.createdAt, now)],
    ['runs', job.state === 'queued' && job.runAt > now ? moment(job.runAt, now) : ''],
    ['started', moment(job.startedAt, now)], ['settled', moment(job.settledAt, now)],
    ['attempt', `${job.attempt}${job.stalls > 0 ? `, ${job.stalls} lost` : ''}`],
    ['worker', job.lease?.worker ?? ''], ['progress', progressBar(job.progress)],
    ['partition', job.partition ?? ''], ['depends on', job.dependsOn.join(', ')],
    ['reason', job.reason ?? ''], ['error', error ? `${error.name}: ${error.message}` : ''],
    ['input', JSON.stringify(job.input)],
    ['result', job.state === 'completed' ? JSON.stringify(job.result) : ''],
    ['meta', job.meta === null ? '' : JSON.stringify(job.meta)],
  ]
  const rows = facts.filter(([, text]) => text !== '')
    .map(([name, text]) => [paint('dim', name), plain(text)])
  const state = job.phase === null ? job.state : `${job.state} (${job.phase})`
  const history = timeline.map(({ at, event, to, attempt, by }) =>
    [`  ${iso(at)}`, event, to, `attempt ${attempt}`, `by ${plain(by)}`])
  const lines = (log?.lines ?? []).map(({ at, text }) => [`  ${iso(at)}`, plain(text)])
  return [
    table([[paint('dim', 'state'), paintState(paint, job.state, state)], ...rows]),
    ...(history.length > 0 ? [paint('dim', 'timeline'), table(history)] : []),
    ...(lines.length > 0 ? [paint('dim', 'log'), table(lines)] : []),
  ].join('\n')
}

function moment(time: number | null, now: number): string {
  return time === null ? '' : `${iso(time)} (${ago(time, now)})`
}
