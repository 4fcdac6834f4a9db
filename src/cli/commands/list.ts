import { Command } from 'commander'
import { systemEnv } from '../../env.ts'
import type { ListOptions } from '../../orchestrator/filter.ts'
import { sortKeys } from '../../stores/reading.ts'
import { parseCount, toFilter, withFilter } from '../filter-flags.ts'
import type { FilterFlags } from '../filter-flags.ts'
import type { FleetQueue, JobLine } from '../fleet.ts'
import { lineOf, lineTitles, table } from '../rendering.ts'
import { knownQueue } from '../shell.ts'
import type { Shell } from '../shell.ts'
import { oneOf } from '../suggest.ts'

interface ListFlags extends FilterFlags {
  readonly sort?: string
  readonly desc?: boolean
  readonly limit: string
  readonly all?: boolean
}

const pageSize = 500

export function listCommand(shell: Shell): Command {
  return withFilter(new Command('list'))
    .description('List jobs, of one queue or of all.')
    .argument('[queue]', 'only of this queue')
    .option('--sort <key>', `one of ${sortKeys.join(', ')}`)
    .option('--desc', 'the last ones first')
    .option('--limit <count>', 'at most so many of a queue', '50')
    .option('--all', 'without a limit')
    .addHelpText('after', `
Examples:
  troupe list photos --state failed --created-after 2h
  troupe list --meta user=ann --json | head -3`)
    .action(async (name: string | undefined, flags: ListFlags) => {
      const query: ListOptions = {
        ...toFilter(flags),
        ...(flags.sort !== undefined && { sort: oneOf(sortKeys, flags.sort, '--sort') }),
        ...(flags.desc && { order: 'desc' }),
      }
      const limit = flags.all ? Number.POSITIVE_INFINITY : parseCount(flags.limit, '--limit')
      await shell.withFleet(async (fleet) => {
        const queues = name === undefined
          ? (await fleet.names()).map((each) => fleet.queue(each))
          : [await knownQueue(fleet, name)]
        const left: string[] = []
        let titled = false
        for (const queue of queues) {
          let shown = 0
          for await (const { jobs, more } of pagesOf(queue, query, limit)) {
            await print(shell, jobs, titled)
            titled ||= jobs.length > 0
            shown += jobs.length
            if (more) left.push(`${queue.name}: the first ${shown}, there are more (--all)`)
          }
        }
        if (!shell.json && !titled) await shell.say(null, 'no jobs')
        for (const line of left) if (!shell.json) shell.terminal.note(line)
      })
    })
}

interface LimitedPage {
  readonly jobs: readonly JobLine[]
  /** The limit cut the list here. */
  readonly more: boolean
}

/** Pages until the limit. A page that a search for text ended goes on in the next one. */
async function* pagesOf(
  queue: FleetQueue, query: ListOptions, limit: number,
): AsyncGenerator<LimitedPage> {
  let left = limit
  for (let cursor: string | null = null; ;) {
    const page = await queue.list({
      ...query, limit: Math.min(pageSize, left), ...(cursor !== null && { cursor }),
    })
    left -= page.jobs.length
    cursor = page.cursor
    const over = left <= 0
    yield { jobs: page.jobs, more: over && cursor !== null }
    if (cursor === null || over) return
  }
}

async function print(shell: Shell, jobs: readonly JobLine[], titled: boolean): Promise<void> {
  if (jobs.length === 0) return
  if (shell.json) {
    await shell.terminal.write(jobs.map((job) => `${JSON.stringify(job)}\n`).join(''))
    return
  }
  const { paint } = shell.terminal
  const titles = titled ? [] : [lineTitles.map((title) => paint('dim', title))]
  const rows = jobs.map((job) => lineOf(job, systemEnv.now(), paint))
  await shell.terminal.write(`${table([...titles, ...rows])}\n`)
}
