import { Command } from 'commander'
import { systemEnv } from '../../env.ts'
import type { Store } from '../../stores/store.ts'
import type { Shell } from '../shell.ts'
import { transferVersion } from '../transfer-lines.ts'
import type { TransferLine } from '../transfer-lines.ts'

const pageSize = 500

export function exportCommand(shell: Shell): Command {
  return new Command('export')
    .description('Write all jobs and their log as JSON lines to standard output.')
    .argument('[queues...]', 'only of these queues')
    .option('--no-log', 'jobs only')
    .addHelpText('after', `
Examples:
  troupe export --store file:data/jobs.json > jobs.jsonl
  troupe export --store file:jobs.json | troupe import --store postgres://localhost/app`)
    .action(async (queues: string[], flags: { readonly log: boolean }) => {
      const { store, name } = await shell.store('export', false)
      const write = (lines: readonly TransferLine[]): Promise<void> =>
        shell.terminal.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
      await store.open({ env: systemEnv, report: () => undefined })
      try {
        const names = queues.length > 0 ? queues : [...(await store.counts(null)).keys()].sort()
        await write([{ type: 'troupe-export', version: transferVersion, from: name }])
        let jobs = 0
        let transitions = 0
        for (const queue of names) {
          for await (const lines of jobsOf(store, queue)) {
            jobs += lines.length
            await write(lines)
          }
        }
        for (const queue of flags.log ? names : []) {
          for await (const lines of logOf(store, queue)) {
            transitions += lines.length
            await write(lines)
          }
        }
        await write([{ type: 'end', jobs, transitions }])
        shell.terminal.note(`${jobs} jobs and ${transitions} transitions of ${name}`)
      } finally {
        await store.close()
      }
    })
}

async function* jobsOf(store: Store, queue: string): AsyncGenerator<readonly TransferLine[]> {
  const any = {
    queue, states: null, phase: null, task: null, partition: null, meta: null, text: null,
    created: null, settled: null,
  }
  for (let cursor: string | null = null; ;) {
    const page = await store.list({
      ...any, sort: 'createdAt', descending: false, limit: pageSize, cursor,
    })
    if (page.records.length > 0) yield page.records.map((job) => ({ type: 'job', job }))
    if (page.cursor === null) return
    cursor = page.cursor
  }
}

async function* logOf(store: Store, queue: string): AsyncGenerator<readonly TransferLine[]> {
  for (let after = 0; ;) {
    const { entries } = await store.readLog(queue, after, pageSize)
    const last = entries.at(-1)
    if (!last) return
    yield entries.map((entry) => {
      const { cursor: _cursor, ...transition } = entry
      return { type: 'transition', transition }
    })
    after = last.seq
  }
}
