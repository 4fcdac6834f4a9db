import { Command } from 'commander'
import { systemEnv } from '../../env.ts'
import type { Timer } from '../../env.ts'
import { onSignals } from '../../orchestrator/signals.ts'
import { createTroupe } from '../../orchestrator/troupe.ts'
import type { Troupe } from '../../orchestrator/troupe.ts'
import type { Duration } from '../../duration.ts'
import { parseDuration } from '../../duration.ts'
import type { Store } from '../../stores/store.ts'
import { exitCodes, Refusal, usageError } from '../exit.ts'
import { parseCount } from '../filter-flags.ts'
import { loadTroupe } from '../module.ts'
import type { Shell } from '../shell.ts'

interface RunFlags {
  readonly port: string
  readonly host: string
  readonly readOnly?: boolean
  readonly grace: string
}

const stopSignals = ['SIGINT', 'SIGTERM'] as const
const graceText = 'how long running jobs may go on when it is told to stop'

export function startCommand(shell: Shell): Command {
  return withAddress(new Command('start'))
    .description('Work on the queues of a module, and serve them through a gateway.')
    .argument('<module>', 'JavaScript or TypeScript that exports a troupe, or makes one')
    .option('--grace <duration>', graceText, '30s')
    .addHelpText('after', `
SIGINT and SIGTERM let running jobs end; a second one stops at once.

Examples:
  troupe start queues.ts --store file:data/jobs.json
  troupe start queues.js --port 0 --json`)
    .action(async (module: string, flags: RunFlags) => {
      const grace = parseGrace(flags.grace)
      const troupe = await load(shell, module)
      await run(shell, troupe, { grace, address: flags, works: true })
    })
}

export function serveCommand(shell: Shell): Command {
  return withAddress(new Command('serve'))
    .description('Serve a store through a gateway, and run no jobs.')
    .addHelpText('after', `
It serves every queue that the store knows, and finds new ones within two seconds.

Example:
  troupe serve --store postgres://localhost/app --port 7070`)
    .action(async (flags: RunFlags) => {
      const { store } = await shell.store('serve', true)
      const troupe = await createTroupe({ store, logger: shell.logger, worker: 'serve' })
      const timer = await declareAll(troupe, store, shell)
      try {
        await run(shell, troupe, { grace: 0, address: flags, works: false })
      } finally {
        timer.cancel()
      }
    })
}

export function workCommand(shell: Shell): Command {
  return new Command('work')
    .description('Work on the queues of a module, without a gateway.')
    .argument('<module>', 'JavaScript or TypeScript that exports a troupe, or makes one')
    .option('--grace <duration>', graceText, '30s')
    .addHelpText('after', `
Example:
  troupe work queues.ts --store postgres://localhost/app`)
    .action(async (module: string, flags: RunFlags) => {
      const grace = parseGrace(flags.grace)
      const troupe = await load(shell, module)
      await run(shell, troupe, { grace, address: null, works: true })
    })
}

function withAddress(command: Command): Command {
  return command
    .option('--port <port>', '0 takes a free one', '7070')
    .option('--host <address>', 'another one than loopback needs --token', '127.0.0.1')
    .option('--read-only', 'nobody may change anything through the gateway')
}

function parseGrace(text: string): Duration {
  return parseDuration(/^\d+$/.test(text) ? Number(text) : text, '--grace')
}

async function load(shell: Shell, module: string): Promise<Troupe> {
  if (shell.options.url !== undefined) {
    throw usageError('--url: jobs run where the store is: give --store')
  }
  const store = async (): Promise<Store> => (await shell.store('start', true)).store
  return loadTroupe(module, store, shell.options.store !== undefined)
}

interface Running {
  readonly grace: Duration
  /** Null: without a gateway. */
  readonly address: Pick<RunFlags, 'port' | 'host' | 'readOnly'> | null
  readonly works: boolean
}

/** Until a signal comes. The gateway closes first: its clients go on where it opens again. */
async function run(
  shell: Shell, troupe: Troupe, { grace, address, works }: Running,
): Promise<void> {
  const gateway = address && await listen(shell, troupe, address).catch(async (error: unknown) => {
    await troupe.stop({ grace: 0 })
    throw error
  })
  let abort: Promise<void> | null = null
  const stop = async (first: boolean): Promise<void> => {
    if (first) {
      shell.terminal.note('troupe: stopping; the same signal again stops at once')
      await gateway?.close()
      await troupe.stop({ grace })
    } else {
      // Once: each call gives the aborted handlers their time anew.
      abort ??= troupe.stop({ grace: 0 })
      await abort
    }
  }
  // Before anybody is told that it runs: a signal may follow at once.
  const told = onSignals(systemEnv, stopSignals, stop, new Promise<void>(() => undefined))
  // One more, while the process is on its way out, must not end it in the middle of that.
  for (const signal of stopSignals) process.on(signal, () => undefined)
  // What a module has left open must not keep a process that has nothing more to do.
  shell.leaves()
  try {
    if (works) await troupe.start()
    const queues = troupe.queues().map(({ name }) => name)
    const doing = works ? `working on ${queues.join(', ') || 'no queues'}` : ''
    const serving = gateway ? `serving ${gateway.url}` : ''
    await shell.say(
      { event: 'started', url: gateway?.url ?? null, works, queues },
      [serving, doing].filter((text) => text !== '').join(', '),
    )
    await told
  } finally {
    await gateway?.close()
    await troupe.stop({ grace: 0 })
  }
}

async function listen(
  shell: Shell, troupe: Troupe, { port, host, readOnly }: NonNullable<Running['address']>,
) {
  const token = shell.options.token ?? process.env['TROUPE_TOKEN']
  const { createGateway, dashboardPages } = await import('../../gateway/gateway.ts')
  const gateway = createGateway(troupe, {
    logger: shell.logger,
    pages: dashboardPages(),
    ...(token && { token }),
    ...(readOnly && { readOnly }),
  })
  const number = parseCount(port, '--port', 0)
  return gateway.listen({ port: number, host }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new Refusal(exitCodes.failed, `port ${number} of ${host} is taken: give another --port`)
  })
}

/** Between two looks for queues that others have made. */
const lookMs = 2000

/** Declares the queues of the store, now and as they come. */
async function declareAll(troupe: Troupe, store: Store, shell: Shell): Promise<Timer> {
  let timer: Timer = { cancel: () => undefined }
  let over = false
  const look = async (): Promise<void> => {
    const [counts, workers] = await Promise.all([store.counts(null), store.workers()])
    if (over) return
    const declared = workers.flatMap(({ queues }) => queues.map(({ name }) => name))
    for (const name of new Set([...counts.keys(), ...declared])) troupe.queue(name)
  }
  const later = (): void => {
    timer = systemEnv.after(lookMs, () => {
      look().catch((error: unknown) => {
        if (!over) shell.logger.warn({ err: error }, 'could not look for new queues')
      }).finally(() => { if (!over) later() })
    })
  }
  await look()
  later()
  return {
    cancel: () => {
      over = true
      timer.cancel()
    },
  }
}
