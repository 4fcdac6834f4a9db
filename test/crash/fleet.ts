import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseLines } from '../../src/testing/history/journal.ts'
import type { Journal } from '../../src/testing/history/journal.ts'

export interface FleetOptions {
  readonly built: string
  readonly url: string
  readonly schema: string
  readonly lease: string
  /** Jobs that each process adds by itself when it begins. */
  readonly adds: number
  readonly queues: readonly { readonly name: string; readonly settings: object }[]
}

interface Crew {
  readonly name: string
  readonly worker: string
  readonly child: ChildProcess
  readonly file: string
  /** It has added what it was to add, or is no more. */
  added: Promise<void>
  killedAt: number | null
}

/** Processes that work on one schema, and what they have written down. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'troupe-fleet-'))
  readonly #crews: Crew[] = []
  readonly #places: (Crew | null)[]
  /** What the processes said on stderr. */
  readonly #errors = join(this.#folder, 'stderr')

  constructor(size: number, options: FleetOptions) {
    this.#options = options
    this.#places = Array.from({ length: size }, () => null)
    mkdirSync(this.#folder, { recursive: true })
  }

  get size(): number {
    return this.#places.length
  }

  /** How many processes there were so far. */
  get started(): number {
    return this.#crews.length
  }

  get journals(): Journal[] {
    return this.#crews.map(({ name, worker, killedAt, file }) => ({
      process: name, worker, killed: killedAt !== null, lines: parseLines(readText(file)),
    }))
  }

  /** When each process was killed that was. */
  get deaths(): ReadonlyMap<string, number> {
    return new Map(this.#crews.flatMap(({ name, killedAt }) =>
      killedAt === null ? [] : [[name, killedAt] as const]))
  }

  /** Warnings and errors of all processes. */
  get complaints(): string {
    return readText(this.#errors)
  }

  /** Starts a process in a place; resolves when it works. */
  async launch(place: number): Promise<void> {
    const number = this.#crews.length
    const name = `p${number}`
    // In one place everybody has the same name, as a machine may give it.
    const worker = place === 0 ? 'w0' : `w${place}-${number}`
    const file = join(this.#folder, `${name}.jsonl`)
    const stderr = openSync(this.#errors, 'a')
    const child = fork(join(import.meta.dirname, 'postgres-worker.mjs'), [JSON.stringify({
      ...this.#options, worker, journal: file, process: name, first: number * 1000,
    })], { stdio: ['ignore', stderr, stderr, 'ipc'] })
    closeSync(stderr)
    const added = said(child, 'added')
    const crew: Crew = { name, worker, child, file, added, killedAt: null }
    this.#crews.push(crew)
    this.#places[place] = crew
    await said(child, 'ready')
    if (child.exitCode !== null) throw new Error(`a worker has ended:\n${this.complaints}`)
  }

  async kill(place: number): Promise<void> {
    const crew = this.#places[place]
    if (!crew) return
    crew.killedAt = Date.now()
    this.#places[place] = null
    const gone = exit(crew.child)
    crew.child.kill('SIGKILL')
    await gone
  }

  /** Stops the process for a while, as a debugger, a laptop's lid or a paused machine does. */
  async freeze(place: number, ms: number): Promise<void> {
    const crew = this.#places[place]
    if (!crew) return
    crew.child.kill('SIGSTOP')
    await sleep(ms)
    crew.child.kill('SIGCONT')
  }

  /** Resolves when all that live have added their jobs. */
  async added(): Promise<void> {
    await Promise.all(this.#places.map((crew) => crew?.added ?? Promise.resolve()))
  }

  /** Asks all processes to stop in order; answers with their exit codes. */
  async stop(): Promise<(number | null)[]> {
    const crews = this.#places.filter((crew) => crew !== null)
    const gone = crews.map(({ child }) => exit(child))
    for (const { child } of crews) if (child.connected) child.send('stop')
    return Promise.all(gone)
  }

  async close(): Promise<void> {
    await Promise.all(this.#places.map((_crew, place) => this.kill(place)))
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Resolves when the process has said it, or is no more. */
function said(child: ChildProcess, word: string): Promise<void> {
  return new Promise((done) => {
    child.on('message', (message) => { if (message === word) done() })
    child.once('exit', () => { done() })
  })
}

function exit(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((done) => { child.once('exit', done) })
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // it never got so far
  }
}
