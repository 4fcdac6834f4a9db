import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, expect, it } from 'vitest'

// The examples for Vitest are tests themselves: they are collected into this file. All others on
// the page run with those of the other pages.

const root = resolve(import.meta.dirname, '..', '..')
const page = readFileSync(join(root, 'docs/testing.md'), 'utf8')
const scratch = join(root, '.cache', `docs-testing-${process.pid}`)

function blocks(kind: string): string[] {
  return [...page.matchAll(new RegExp(`^\`\`\`ts ${kind}\n(.*?)^\`\`\``, 'gms'))]
    .map(([, code]) => code ?? '')
}

mkdirSync(scratch, { recursive: true })
afterAll(() => { rmSync(scratch, { recursive: true, force: true }) })

const examples = blocks('vitest')
for (const [index, code] of examples.entries()) {
  const file = join(scratch, `example-${index}.ts`)
  writeFileSync(file, code)
  await import(file)
}

it('has an example for Vitest', () => { expect(examples).toHaveLength(1) })

it.each([
  ['contract', 'test/contract/memory.test.ts'], ['model', 'test/model/memory.test.ts'],
])('shows as %s what runs', (kind, file) => {
  expect(blocks(kind)).toEqual([readFileSync(join(root, file), 'utf8')])
})
