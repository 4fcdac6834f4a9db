import { execFile, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync,
  statSync, writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { transpiledPackage } from '../cli/transpiled.ts'
import { appOf, root } from '../docs/blocks.ts'

const own = join(import.meta.dirname, 'next')
const cache = join(root, '.cache')
const dayMs = 24 * 60 * 60 * 1000
/** Next adds what it misses; without a file it would take the one of this repository. */
const settings = {
  target: 'es2023', module: 'esnext', moduleResolution: 'bundler', lib: ['dom', 'esnext'],
  allowJs: true, noEmit: true, strict: false, skipLibCheck: true,
}
const { NODE_ENV: _1, VITEST: _2, ...environment } = process.env

const offline = /code (ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENOTCACHED)/

/**
 * Where Next is installed: outside of the package, for it is as heavy as all the rest together. The
 * first test needs the registry; who comes later finds it there. Null: no registry can be reached.
 */
async function nextPlace(): Promise<string | null> {
  const files = [join(own, 'package.json'), join(own, 'package-lock.json')]
  const hash = createHash('sha256')
  for (const file of files) hash.update(readFileSync(file))
  const folder = join(cache, `next-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const unfinished = mkdtempSync(`${folder}-`)
  for (const file of files) cpSync(file, join(unfinished, file.slice(own.length)))
  try {
    await promisify(execFile)(
      'npm',
      ['install', '--no-audit', '--no-fund', '--fetch-retries=1', '--fetch-retry-mintimeout=1000'],
      { cwd: unfinished, timeout: 120_000 },
    )
    if (!existsSync(folder)) renameSync(unfinished, folder)
  } catch (error) {
    const { stderr = '', killed } = error as { readonly stderr?: string, readonly killed?: boolean }
    if (!killed && !offline.test(stderr)) throw error
    console.warn(`NOT TESTED: the app on Next, for it cannot be installed:\n${stderr}`)
    return null
  } finally {
    rmSync(unfinished, { recursive: true, force: true }) // it failed, or somebody else was first
  }
  return folder
}

/** What no test uses any more, and what one left that was killed. */
function removeOld(parent: string, prefix: string, ageMs: number): void {
  if (!existsSync(parent)) return
  for (const name of readdirSync(parent)) {
    const path = join(parent, name)
    if (!name.startsWith(prefix) || statSync(path).mtimeMs > Date.now() - ageMs) continue
    rmSync(path, { recursive: true, force: true })
  }
}

/** The app of docs/gateway.md, with the package as it would be installed; null without Next. */
export async function makeNextApp() {
  removeOld(cache, 'next-', 30 * dayMs)
  const place = await nextPlace()
  if (place === null) return null
  removeOld(place, 'app-', dayMs)
  const folder = mkdtempSync(join(place, 'app-'))
  for (const [name, code] of appOf('docs/gateway.md')) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), code)
  }
  cpSync(join(own, 'resize.ts'), join(folder, 'resize.ts'))
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }\n')
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: settings }))
  const troupe = join(folder, 'node_modules', 'troupe')
  cpSync(await transpiledPackage(), join(troupe, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(troupe, 'package.json'))
  const started: ChildProcess[] = []
  return {
    at: (name: string): string => join(folder, name),
    /** Changes a module, as an editor would. */
    edit(name: string, change: (text: string) => string): void {
      const file = join(folder, name)
      writeFileSync(file, change(readFileSync(file, 'utf8')))
    },
    next(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
      const running = new RunningNext(place, folder, args, env)
      started.push(running.child)
      return running
    },
    remove(): void {
      for (const child of started) signalAll(child, 'SIGKILL')
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** A command line of Next and its children. */
class RunningNext {
  readonly child: ChildProcess
  /** The exit code, and how it came to it. */
  readonly ended: Promise<number | null>
  output = ''

  constructor(place: string, cwd: string, args: readonly string[], env: NodeJS.ProcessEnv) {
    const main = join(place, 'node_modules', 'next', 'dist', 'bin', 'next')
    this.child = spawn(process.execPath, [main, ...args], {
      cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...environment, NEXT_TELEMETRY_DISABLED: '1', NO_COLOR: '1', ...env },
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => { this.output += text })
    }
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject)
      this.child.once('close', resolve)
    })
  }

  /** Where it listens, once it has said so. */
  url(): string | undefined {
    return /http:\/\/127\.0\.0\.1:\d+/.exec(this.output)?.[0]
  }

  async stop(): Promise<void> {
    signalAll(this.child, 'SIGTERM')
    await this.ended
  }
}

function signalAll(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal)
  } catch {
    // All of them have ended.
  }
}
