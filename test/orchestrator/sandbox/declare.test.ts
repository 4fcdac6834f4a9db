import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createTroupe, task, TroupeError } from 'troupe'
import { afterEach, describe, expect, test } from 'vitest'
import { systemEnv } from '../../../src/env.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { Sandbox } from '../../../src/orchestrator/sandbox/sandbox.ts'
import { fixture, useBuilt } from './built.ts'
import { fakeJob } from './fake-job.ts'

const built = useBuilt()
const root = resolve(import.meta.dirname, '../../..')

describe('a declaration', () => {
  test.each([
    ['a path', { module: './resize.js' }, 'module'],
    ['an absolute path', { module: '/srv/resize.js' }, 'module'],
    ['another protocol', { module: new URL('https://example.org/resize.js') }, 'module'],
    ['code', { module: 'data:text/javascript,export default () => 1' }, 'module'],
    ['no text', { module: 1 }, 'module'],
    ['null', { module: null }, 'module'],
    ['a handler beside it', { module: fixture('echo.mjs'), handler: (): number => 1 }, 'module'],
    ['a limit and no module', { handler: (): number => 1, memoryMb: 64 }, 'module'],
    ['too little memory', { module: fixture('echo.mjs'), memoryMb: 8 }, 'memoryMb'],
    ['half a megabyte', { module: fixture('echo.mjs'), memoryMb: 99.5 }, 'memoryMb'],
    ['an unknown option', { module: fixture('echo.mjs'), memory: 64 }, 'memory'],
    ['a wrong schema', { module: fixture('echo.mjs'), input: 'text' }, 'input'],
    ['neither module nor handler', { retries: 1 }, 'handler'],
  ])('with %s is refused', async (_what, work, at) => {
    const troupe = await createTroupe()
    try {
      troupe.queue('q', { tasks: { work: work as never } })
      throw new Error('nothing was refused')
    } catch (error) {
      if (!(error instanceof TroupeError)) throw error
      expect(error).toMatchObject({
        code: 'invalid-option', details: { path: `queue "q".tasks.work.${at}` },
      })
    } finally {
      await troupe.stop()
    }
  })

  test('takes a URL as text, and starts no thread', async () => {
    const troupe = await createTroupe()
    troupe.queue('q', { tasks: { work: task({ module: fixture('echo.mjs').href }) } })
    await troupe.start()
    await troupe.stop()
    expect(built.started()).toBe(0)
  })
})

describe('a module that cannot be used', () => {
  test.each([
    ['gone.mjs', /gone.mjs could not be loaded: Cannot find module/, 'ERR_MODULE_NOT_FOUND'],
    ['broken.mjs', /broken.mjs could not be loaded: the module is broken/, undefined],
    ['no-default.mjs', /could not be loaded: the default export must be/, 'invalid-option'],
  ])('%s fails the job at once', async (name, message, code) => {
    const troupe = await built.open()
    const queue = troupe.queue('q', {
      tasks: {
        work: built.task({ module: fixture(name), retries: 5 }),
        good: built.task<string>({ module: fixture('echo.mjs') }),
      },
    })
    await troupe.start()
    const job = await queue.add('work')
    await expect(job.result()).rejects.toMatchObject({ code: 'job-failed' })
    const record = await queue.get(job.id)
    expect(record).toMatchObject({ state: 'failed', reason: 'error', attempt: 1 })
    expect(record?.error).toMatchObject({
      name: 'SandboxError', message: expect.stringMatching(message), cause: code ? { code } : {},
    })
    await (await queue.add('good', 'after that')).result()
  })

  test('fails the attempt when the thread itself cannot start', async () => {
    const { Piscina } = await import('piscina')
    const sandbox = new Sandbox(systemEnv, async () => ({
      Piscina: class extends Piscina {
        constructor(options: object) {
          super({ ...options, filename: fixture('broken.mjs').href })
        }
      },
    }))
    const run = sandbox.handler(fixture('echo.mjs').href, null)
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      await expect(run(fakeJob())).rejects.toMatchObject({
        name: 'SandboxError', message: 'the thread crashed: the module is broken',
      })
    }
    await sandbox.close()
    await expect(run(fakeJob())).rejects.toMatchObject({ code: 'stopped' })
  })
})

describe('in a process of its own', () => {
  let folder = ''
  afterEach(() => { rmSync(folder, { recursive: true, force: true }) })

  /** What a program prints that has the built package, and of its dependencies those. */
  function print(program: string, dependencies: readonly string[]): unknown {
    folder = mkdtempSync(join(tmpdir(), 'troupe-sandbox-'))
    const modules = join(folder, 'node_modules')
    mkdirSync(modules)
    // Nothing is in it, and it hides what a folder further up may have.
    if (!dependencies.includes('piscina')) mkdirSync(join(modules, 'piscina'))
    for (const name of dependencies) {
      symlinkSync(join(root, 'node_modules', name), join(modules, name))
    }
    cpSync(built.folder, join(modules, 'troupe/dist'), { recursive: true })
    cpSync(join(root, 'package.json'), join(modules, 'troupe/package.json'))
    const main = join(folder, 'main.mjs')
    writeFileSync(main, program)
    return JSON.parse(execFileSync(process.execPath, [main], {
      encoding: 'utf8', timeout: 60_000,
    }))
  }

  const declare = `
    import { createTroupe, task } from 'troupe'
    const troupe = await createTroupe()
    const work = task({ module: ${JSON.stringify(fixture('double.mjs').href)} })
    const queue = troupe.queue('q', { tasks: { work, other: () => 'no thread' } })
  `
  const needed = ['croner', 'rxjs', 'xstate']

  test('start() tells that piscina is missing', () => {
    expect(print(`${declare}
      const { code, details, message } = await troupe.start().catch((error) => error)
      console.log(JSON.stringify({ code, details, message }))
      await troupe.stop()
    `, needed)).toEqual({
      code: 'missing-package', details: { package: 'piscina' },
      message: 'a task with a module needs the package piscina: npm install piscina',
    })
  }, 60_000)

  test('nobody needs piscina who has no module', () => {
    expect(print(`
      import { createTroupe } from 'troupe'
      const troupe = await createTroupe()
      const queue = troupe.queue('q', { tasks: { work: () => 'no thread' } })
      await troupe.start()
      console.log(JSON.stringify(await (await queue.add('work')).result()))
      await troupe.stop()
    `, needed)).toBe('no thread')
  }, 60_000)

  test('nothing keeps the process alive after stop', () => {
    expect(print(`${declare}
      await troupe.start()
      const jobs = await queue.addMany([{ task: 'work', input: 4 }, { task: 'other' }])
      const [{ doubled }, other] = await Promise.all(jobs.map((job) => job.result()))
      await troupe.stop()
      console.log(JSON.stringify([doubled, other]))
    `, [...needed, 'piscina'])).toEqual([8, 'no thread'])
  }, 60_000)
})

test('closing waits two seconds for a thread that cannot be ended, and no longer', async () => {
  const env = new VirtualEnv()
  const never = new Promise<never>(() => undefined)
  const sandbox = new Sandbox(env, async () => ({
    Piscina: class {
      readonly threads = []
      run = () => never
      destroy = () => never
      on = () => this
    },
  }))
  void sandbox.handler(fixture('echo.mjs').href, null)(fakeJob())
  await env.settle()
  let closed = false
  void sandbox.close().then(() => { closed = true })
  await env.advance(1999)
  expect(closed).toBe(false)
  await env.advance(1)
  expect(closed).toBe(true)
  expect(env.pendingTimers).toBe(0)
})
