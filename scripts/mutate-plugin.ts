import { readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import type { Plugin } from 'vitest/config'
import type { Mutation } from './mutation.ts'

/** The mutated source; throws when `find` does not occur exactly once. */
export function applyMutation(mutation: Mutation, code: string): string {
  const parts = code.split(mutation.find)
  const [before, after] = parts
  if (before === undefined || after === undefined || parts.length !== 2) {
    const times = String(parts.length - 1)
    throw new Error(
      `mutation ${mutation.name}: its text occurs ${times} times in ${mutation.file}, not once`,
    )
  }
  return `${before}${mutation.replace}${after}`
}

/**
 * Takes one protection out of the source while Vite loads it. A mutation that no longer fits the
 * source throws at once, when the configuration loads, so that it cannot pass for "caught".
 */
export function mutatePlugin(
  root: string,
  mutations: readonly Mutation[],
  name: string | undefined,
): Plugin | undefined {
  if (name === undefined || name === '') return undefined
  const mutation = mutations.find((candidate) => candidate.name === name)
  if (mutation === undefined) throw new Error(`TROUPE_MUTATION: no mutation named ${name}`)
  applyMutation(mutation, readFileSync(join(root, mutation.file), 'utf8'))
  return {
    name: `troupe-mutation-${name}`,
    enforce: 'pre',
    transform(code, id) {
      const file = relative(root, id.split('?')[0] ?? id).split(sep).join('/')
      return file === mutation.file ? { code: applyMutation(mutation, code), map: null } : undefined
    },
  }
}
