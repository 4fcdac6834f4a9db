import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkCompanions, checkProduct } from './tidy/check.ts'
import { print, readSources, root, source, type Violation } from './tidy/files.ts'
import { entriesOf } from './tidy/graph.ts'

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  exports: unknown
  bin: unknown
}

/** What the page of the dashboard begins with: index.html names it. */
const pageEntry = 'src/dashboard/main.tsx'

function expectNone(violations: readonly Violation[]): void {
  if (violations.length > 0) {
    throw new Error(`${String(violations.length)} untidy:\n${violations.map(print).join('\n')}`)
  }
}

describe('the repository is tidy', () => {
  test('machines and src', () => {
    const sources = readSources(['machines', 'src'])
    expect(sources.length).toBeGreaterThan(0)
    expectNone(checkProduct(sources, [...entriesOf(manifest), pageEntry]))
  })

  test('test, scripts and examples', () => {
    expectNone(checkCompanions(readSources(['test', 'scripts', 'examples'])))
  })

  test('the entries come from package.json', () => {
    expect(entriesOf(manifest)).toEqual([
      'src/index.ts',
      'src/stores/lowdb/store.ts',
      'src/stores/postgres/store.ts',
      'src/gateway/gateway.ts',
      'src/client/connect.ts',
      'src/otel/open-telemetry.ts',
      'src/testing/testing.ts',
      'src/testing/store.ts',
      'src/testing/arbitraries.ts',
      'machines/index.ts',
      'src/cli/main.ts',
    ])
  })
})

/** `file:line rule` of what is wrong in the planted files; all of them are entries. */
function found(files: Record<string, string>, entries = Object.keys(files)): string[] {
  const sources = Object.entries(files).map(([path, text]) => source(path, text))
  return checkProduct(sources, entries).map((fault) => print(fault).split(' ', 2).join(' '))
}

const queue = 'src/orchestrator/queue.ts'

describe('each rule catches what is planted', () => {
  test('nothing in tidy files', () => {
    const files = {
      'machines/job.ts': `import { setup } from 'xstate'\nexport const job = setup({})\n`,
      'src/env.ts': `import { rm } from 'node:fs'\nexport const now = () => [Date.now(), rm]\n`,
      [queue]: `import { job } from '../../machines/job.ts'\nimport { now } from '../env.ts'\n
        export const at = new Date(0), also = [job, now]; queueMicrotask(() => {})
        export const door = (clock: { setTimeout: typeof setTimeout }) => clock.setTimeout\n`,
    }
    expect(found(files)).toEqual([])
  })

  test('an import that points up, also of a type', () => {
    const files = {
      'src/index.ts': 'export interface Troupe { a: 1 }\n',
      [queue]: `\nimport type { Troupe } from '../index.ts'\nexport type T = Troupe\n`,
      'src/records/job.ts': `export type Q = import('../orchestrator/queue.ts').T\n`,
      'machines/job.ts': `export { now } from '../src/env.ts'\n`,
      'src/env.ts': 'export const now = 1\n',
    }
    expect(found(files)).toEqual([
      `${queue}:2 layer`,
      'src/records/job.ts:1 layer',
      'machines/job.ts:1 layer',
    ])
  })

  test('a file outside the rooms, an import of no file and of the package itself', () => {
    expect(found({ 'src/extra.ts': '' })).toEqual(['src/extra.ts:1 room'])
    expect(found({ [queue]: `import './gone.ts'\n` })).toEqual([`${queue}:1 import`])
    expect(found({ [queue]: `import 'troupe'\n` })).toEqual([`${queue}:1 import`])
  })

  test('xstate outside its doors, other packages in machines', () => {
    const text = `import type { Actor } from 'xstate'\n`
    expect(found({ [queue]: text })).toEqual([`${queue}:1 xstate`])
    expect(found({ 'src/orchestrator/actors.ts': `import 'xstate'\n` })).toEqual([])
    expect(found({ 'src/observe/actor-ref.ts': `import 'xstate'\n` })).toEqual([])
    expect(found({ 'machines/a.ts': `import 'rxjs'\n` })).toEqual(['machines/a.ts:1 machines'])
  })

  test('a cycle, of types too', () => {
    const files = {
      'src/records/a.ts': `import type { B } from './b.ts'\nexport type A = B\n`,
      'src/records/b.ts': `import type { C } from './c.ts'\nexport type B = C\n`,
      'src/records/c.ts': `import type { A } from './a.ts'\nexport type C = A\n`,
    }
    expect(found(files)).toEqual(['src/records/c.ts:1 cycle'])
  })

  test('an orphan and a missing entry', () => {
    const files = { 'src/index.ts': '', 'src/duration.ts': '' }
    expect(found(files, ['src/index.ts', 'src/cli/main.ts'])).toEqual([
      'src/cli/main.ts:1 entry',
      'src/duration.ts:1 orphan',
    ])
  })

  test('files, functions and lines that are too long', () => {
    expect(found({ [queue]: '\n'.repeat(300) })).toEqual([])
    expect(found({ [queue]: '\n'.repeat(301) })).toEqual([`${queue}:301 file-length`])
    const long = (lines: number) => `\nexport const f = () => {${'\n'.repeat(lines - 1)}}\n`
    expect(found({ [queue]: long(70) })).toEqual([])
    expect(found({ [queue]: long(71) })).toEqual([`${queue}:2 function-length`])
    expect(found({ [queue]: `// ${'─'.repeat(97)}\n` })).toEqual([])
    expect(found({ [queue]: `// ${'─'.repeat(98)}\n` })).toEqual([`${queue}:1 columns`])
    expect(checkCompanions([source('test/a.ts', `\n${'a'.repeat(101)}`)]).map(print)).toEqual([
      'test/a.ts:2 columns 101 columns, at most 100',
    ])
  })

  test.each([
    'Date.now()', 'new Date()', 'new Date', 'Date()', 'new globalThis.Date()', 'performance.now()',
    'setTimeout(() => {}, 1)', 'setInterval', 'setImmediate', 'clearTimeout(1)', 'clearInterval(1)',
    'globalThis.setTimeout', '{ setTimeout }', 'Math.random()', 'crypto.randomUUID()',
    'globalThis.crypto', 'process.hrtime()', 'process.hrtime.bigint()', 'AbortSignal.timeout(1)',
    `import('node:fs')`, `require('fs')`,
  ])('the global %s', (use) => {
    expect(found({ [queue]: `\nexport const a = () => (${use})\n` })).toEqual([`${queue}:2 global`])
    expect(found({ 'src/env.ts': `\nexport const a = () => (${use})\n` })).toEqual([])
  })

  test('modules that are doors of their own; the disk has the file system only', () => {
    const text = `import 'node:fs/promises'\nimport 'node:crypto'\nimport { timer } from 'rxjs'\n`
    expect(found({ [queue]: text })).toEqual([1, 2, 3].map((n) => `${queue}:${String(n)} global`))
    const disk = 'src/stores/lowdb/disk.ts'
    expect(found({ [disk]: text })).toEqual([2, 3].map((n) => `${disk}:${String(n)} global`))
  })

  test('default exports, enums, names and marks', () => {
    for (const text of [
      'export default 1', 'export default function f() {}', 'export { a as default }',
    ]) {
      expect(found({ [queue]: `${text}\n` })).toEqual([`${queue}:1 default-export`])
    }
    expect(found({ [queue]: 'export enum A { B }\n' })).toEqual([`${queue}:1 enum`])
    for (const name of ['utils', 'job-helpers', 'queue-manager', 'types', 'common', 'JobActor']) {
      const path = `src/records/${name}.ts`
      expect(found({ [path]: '' })).toEqual([`${path}:1 file-name`])
    }
    expect(found({ 'src/records/index.ts': '' })).toEqual(['src/records/index.ts:1 barrel'])
    for (const mark of ['TODO', 'FIXME', 'XXX']) {
      expect(found({ [queue]: `\n// ${mark}: later\n` })).toEqual([`${queue}:2 mark`])
    }
  })
})
