import { spawn } from 'node:child_process'
import type { ChildProcess, ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterAll } from 'vitest'
import { transpiledPackage } from './transpiled.ts'

export interface Ended {
  readonly code: number | null
  readonly out: string
  readonly errors: string
}

export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  /** What it reads, all of it; null: its end does not come by itself. */
  readonly input?: string | null
}

/** The program, in a folder of this test file. Call once per file. */
export async function useCommandLine() {
  const place = mkdtempSync(join(tmpdir(), 'troupe-cli-'))
  const children = new Set<ChildProcess>()
  const built = await transpiledPackage()
  const main = join(built, 'src/cli/main.js')
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(place, { recursive: true, force: true })
  })

  const start = (command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) => {
    const { NO_COLOR: _1, FORCE_COLOR: _2, TROUPE_STORE: _3, TROUPE_URL: _4, ...own } = process.env
    const child = spawn(command, args, { cwd: place, env: { ...own, ...env } })
    children.add(child)
    child.on('close', () => { children.delete(child) })
    child.stdin.on('error', () => undefined) // it may end before it has read all
    return child
  }

  const begin = (command: string, args: readonly string[], options: RunOptions) => {
    const child = start(command, args, options.env)
    let out = ''
    let errors = ''
    const looks = new Set<() => void>()
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      for (const look of [...looks]) look()
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
      for (const look of [...looks]) look()
    })
    if (options.input !== null) child.stdin.end(options.input ?? '')
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code) => { resolve({ code, out, errors }) })
    })
    /** Resolves with what it has printed, on both, when that holds the text. */
    const said = (text: string): Promise<string> => new Promise((resolve, reject) => {
      const look = (): void => {
        if (!`${out}${errors}`.includes(text)) return
        looks.delete(look)
        resolve(`${out}${errors}`)
      }
      looks.add(look)
      ended.then(({ code }) => {
        reject(new Error(`ended with ${String(code)} before "${text}": ${out}${errors}`))
      }, reject)
      look()
    })
    return { child, ended, said }
  }

  let resident: Resident | null = null
  return {
    main,
    /** A path in the folder of this file, in which the program runs. */
    at: (name: string) => join(place, name),
    /** For an import of the library in a module of a test. */
    library: pathToFileURL(join(built, 'src/index.js')).href,
    /** Runs a command line in a process that has started already. */
    troupe: (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> => {
      resident ??= new Resident(start(process.execPath, [
        fileURLToPath(new URL('resident.mjs', import.meta.url)), join(built, 'src/cli/program.js'),
      ]))
      return resident.run(args, env)
    },
    /** The program as a process of its own. */
    begin: (args: readonly string[], options: RunOptions = {}) =>
      begin(process.execPath, [main, ...args], options),
    /** The same, to its end. */
    spawned: (args: readonly string[], options: RunOptions = {}): Promise<Ended> =>
      begin(process.execPath, [main, ...args], options).ended,
    /** A line of a shell, in which `troupe` is the program. */
    inShell: (line: string, options: RunOptions = {}): Promise<Ended> => {
      const script = `troupe() { "${process.execPath}" "${main}" "$@"; }\n${line}`
      return begin('bash', ['-c', script], options).ended
    },
    /** On a terminal: what it shows is `out`. */
    onTerminal: (args: readonly string[], options: RunOptions = {}) => {
      const quoted = [process.execPath, main, ...args].map((part) => `'${part}'`).join(' ')
      const env = { TERM: 'xterm', ...options.env }
      return begin('script', ['-qefc', `exec ${quoted}`, '/dev/null'], { ...options, env })
    },
  }
}

/** One process for many command lines, one after the other. */
class Resident {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>
  #last: Promise<unknown> = Promise.resolve()

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    child.stderr.pipe(process.stderr)
  }

  run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
    const answer = this.#last.then(async () => {
      this.#child.stdin.write(`${JSON.stringify({ args, env })}\n`)
      const { value, done } = await this.#answers.next()
      if (done) throw new Error(`the program ended during ${args.join(' ')}`)
      return JSON.parse(value) as Ended
    })
    this.#last = answer.catch(() => undefined)
    return answer
  }
}

/** The values of `--json` lines. */
export function values(out: string): Record<string, unknown>[] {
  return out.split('\n').filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
