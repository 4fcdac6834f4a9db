import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { applyMutation } from './mutate-plugin.ts'
import { mutations } from './mutation-list.ts'
import type { Mutation } from './mutation.ts'

/**
 * Takes each protection out of the source, one at a time and in memory only, and runs the tests
 * that should notice. Prints which one did; exits with 1 when a protection is missed by nobody.
 * Arguments: names of mutations. Default: all.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const report = join(root, '.cache', `mutation-${process.pid}.json`)

interface Report {
  readonly numTotalTests: number
  readonly testResults: readonly {
    readonly assertionResults: readonly {
      readonly status: string
      readonly fullName: string
      readonly failureMessages: readonly string[]
    }[]
  }[]
}

/** The first test that fails without the protection; undefined when none does. */
function catcher({ name, tests }: Mutation): string | undefined {
  rmSync(report, { force: true })
  const { stderr } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', ...tests, '--bail=1', '--retry=0',
      '--reporter=json', `--outputFile=${report}`],
    {
      cwd: root, encoding: 'utf8', timeout: 300_000,
      env: { ...process.env, TROUPE_MUTATION: name },
    },
  )
  const { numTotalTests, testResults } = readReport(stderr)
  if (numTotalTests === 0) throw new Error(`${name}: no test ran`)
  const failed = testResults.flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === 'failed')
  if (!failed) return undefined
  // A simulation says in its first line which seed has broken which promise.
  const [message = ''] = failed.failureMessages
  const seed = /seed \d+ breaks [^\n]*/.exec(message)?.[0]
  return seed === undefined ? failed.fullName : `the simulator: ${seed}`
}

function readReport(stderr: string): Report {
  try {
    return JSON.parse(readFileSync(report, 'utf8')) as Report
  } catch (cause) {
    throw new Error(`vitest wrote no report:\n${stderr.slice(-2000)}`, { cause })
  }
}

const wanted = process.argv.slice(2)
const chosen = mutations.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
if (chosen.length === 0) throw new Error('no mutation has such a name')
// A mutation that does not fit the source any more must not pass for caught.
for (const mutation of chosen) {
  applyMutation(mutation, readFileSync(join(root, mutation.file), 'utf8'))
}
const survivors = chosen.filter((mutation) => {
  const caught = catcher(mutation)
  console.log(`${mutation.name.padEnd(28)} ${caught === undefined ? 'SURVIVED' : caught}`)
  return caught === undefined
})
rmSync(report, { force: true })
console.log(`${chosen.length - survivors.length} of ${chosen.length} were noticed`)
process.exitCode = survivors.length > 0 ? 1 : 0
