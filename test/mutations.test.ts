import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { mutations } from '../scripts/mutation-list.ts'

const root = join(import.meta.dirname, '..')

it.each(mutations)('the mutation "$name" still names one place in $file', ({ file, find }) => {
  expect(readFileSync(join(root, file), 'utf8').split(find)).toHaveLength(2)
})
