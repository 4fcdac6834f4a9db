import type { Command } from 'commander'
import type { Logger } from '../orchestrator/logger.ts'
import { exitCodes, messageOf, Refusal, usageError } from './exit.ts'
import type { ExitCode } from './exit.ts'
import type { Fleet, FleetQueue } from './fleet.ts'
import { openGatewayFleet } from './gateway-fleet.ts'
import { didYouMean } from './suggest.ts'
import { chooseTarget, openFleet, parseStore } from './target.ts'
import type { NamedStore, TargetOptions } from './target.ts'
import { systemTerminal } from './terminal.ts'
import type { Terminal } from './terminal.ts'

/** The options that every command takes. */
export interface GlobalOptions extends TargetOptions {
  readonly json?: boolean
  readonly yes?: boolean
  readonly debug?: boolean
  readonly color: boolean
}

/** What a command works with. */
export class Shell {
  readonly #program: Command
  #terminal: Terminal | null = null
  #exitCode: ExitCode = exitCodes.ok
  #isLeaving = false

  constructor(program: Command) {
    this.#program = program
  }

  get options(): GlobalOptions {
    return this.#program.opts<GlobalOptions>()
  }

  get json(): boolean {
    return this.options.json === true
  }

  get terminal(): Terminal {
    this.#terminal ??= systemTerminal({ color: this.options.color && !this.json })
    return this.#terminal
  }

  get exitCode(): ExitCode {
    return this.#exitCode
  }

  /** The answer was no: the program ends with 1 when everything else is done. */
  saidNo(): void {
    this.#exitCode = exitCodes.failed
  }

  /** Set when the process must not wait for what somebody else has left open. */
  get isLeaving(): boolean {
    return this.#isLeaving
  }

  leaves(): void {
    this.#isLeaving = true
  }

  /** One line of standard output: the value as JSON with `--json`, else the text. */
  async say(value: unknown, text: string): Promise<void> {
    await this.terminal.write(`${this.json ? JSON.stringify(value) : text}\n`)
  }

  /** Warnings of the library, a line each. */
  get logger(): Logger {
    const note = (fields: object, message: string): void => {
      const why = 'err' in fields ? `: ${messageOf(fields.err)}` : ''
      this.terminal.note(`troupe: ${message}${why}`)
    }
    return { warn: note, error: note }
  }

  /** Opens the target for `work`, and closes it whatever happens. */
  async withFleet(
    work: (fleet: Fleet) => Promise<void>, { creates = false }: { readonly creates?: boolean } = {},
  ): Promise<void> {
    const target = chooseTarget(this.options, process.env)
    const fleet = await openFleet(target, {
      creates, logger: this.logger, openGateway: openGatewayFleet,
    })
    try {
      await work(fleet)
    } finally {
      await fleet.close()
    }
  }

  /** The store of the target, for what no gateway does. */
  async store(command: string, creates: boolean): Promise<NamedStore> {
    const target = chooseTarget(this.options, process.env)
    if (target.kind === 'store') return parseStore(target.text, creates)
    throw usageError(`${command} works on a store, not through a gateway: give --store`)
  }

  /** Asks before what cannot be taken back; `--yes` is the answer of who cannot be asked. */
  async confirm(question: string): Promise<void> {
    if (this.options.yes) return
    if (!this.terminal.canAsk) {
      throw usageError(`${question} Nobody is here to answer: add --yes to do it`)
    }
    if (await this.terminal.ask(question)) return
    throw new Refusal(exitCodes.failed, 'nothing was done')
  }
}

/** A queue that is there; a mistyped name must not look like an empty one. */
export async function knownQueue(fleet: Fleet, name: string): Promise<FleetQueue> {
  const names = await fleet.names()
  if (names.includes(name)) return fleet.queue(name)
  const known = names.length === 0 ? 'it has none' : `it has ${names.slice(0, 20).join(', ')}`
  const hint = didYouMean(name, names)
  throw new Refusal(
    exitCodes.failed, `${fleet.name} knows no queue "${name}"${hint || `; ${known}`}`,
  )
}

/** The queue of a job: the one that was named, or the one that has it. */
export async function queueOf(
  fleet: Fleet, id: string, name: string | undefined,
): Promise<FleetQueue> {
  if (name !== undefined) return knownQueue(fleet, name)
  const queue = await fleet.queueOf(id)
  if (queue) return queue
  throw new Refusal(exitCodes.failed, `${fleet.name} has no job "${id}"`)
}
