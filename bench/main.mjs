/**
 * Runs everything and prints Markdown:
 * `npm start -- [--rounds N] [--only a,b] [--measures a,b] [--jobs N] [--write]`
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machineFacts } from './facts.mjs'
import { writeBlock } from './page.mjs'
import { runRounds } from './rounds.mjs'
import { suites as everySuite } from './suites.mjs'

const inFolder = (path) => fileURLToPath(new URL(path, import.meta.url))

function readOptions() {
  const text = (fallback) => ({ type: 'string', default: fallback })
  const { values } = parseArgs({
    options: {
      rounds: text('3'),
      only: text(''),
      measures: text(''),
      jobs: text('20000'),
      write: { type: 'boolean', default: false },
    },
  })
  return {
    rounds: positive('rounds', values.rounds),
    jobs: positive('jobs', values.jobs),
    suites: chosenSuites(values),
    write: values.write,
  }
}

function positive(name, text) {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`--${name} must be a whole number above 0, not ${text}`)
}

/** `--only` takes names of systems and of suites. */
function chosenSuites({ only, measures }) {
  const named = everySuite.flatMap(({ name, systems }) => [name, ...systems.map((s) => s.name)])
  const wanted = wishes('only', only, named)
  const wantedMeasures = wishes('measures', measures, everySuite.flatMap((suite) => suite.measures))
  return everySuite
    .map((suite) => ({
      ...suite,
      systems: suite.systems.filter(({ name }) => wanted(suite.name) || wanted(name)),
      measures: suite.measures.filter(wantedMeasures),
    }))
    .filter((suite) => suite.systems.length > 0 && suite.measures.length > 0)
}

function wishes(name, text, all) {
  if (text === '') return () => true
  const wanted = text.split(',')
  const unknown = wanted.filter((item) => !all.includes(item))
  if (unknown.length === 0) return (item) => wanted.includes(item)
  const known = [...new Set(all)].join(', ')
  throw new Error(`--${name}: unknown ${unknown.join(', ')}; one of ${known}`)
}

/** The bench measures the built package, not the sources. */
function checkBuilt(suites) {
  for (const { systems, built } of suites) {
    const wanted = systems.some((system) => system.packages.includes('troupe'))
    if (!wanted || existsSync(built)) continue
    throw new Error('troupe is not built: run `npm ci && npm run build` in the main folder first')
  }
}

async function runSuite(suite, { rounds: count, jobs, write }, dir) {
  const { missing, execPath, nodeVersion, facts } = await suite.prepare()
  if (missing) {
    console.error(`\nNOT MEASURED: ${suite.name}. ${missing}\nIts tables are left out.\n`)
    return
  }
  const machine = machineFacts(dir, nodeVersion)
  const { rounds, failures } = await runRounds(suite, { rounds: count, jobs, execPath, dir })
  const { systems, sizes } = suite
  const options = { jobs, ...sizes }
  const lines = suite.report({ systems, rounds, options, facts: [...machine, ...facts] })
  const text = [...heading(count), ...lines].join('\n')
  console.log(`${text}\n`)
  if (failures.length > 0) {
    console.error(`\n${failures.length} failed:\n${failures.join('\n')}`)
    process.exitCode = 1
    if (write) console.error(`the tables of ${suite.name} in docs/benchmarks.md were left alone`)
  } else if (write) {
    writeBlock(suite.mark, text)
  }
}

function heading(rounds) {
  const flags = process.argv.slice(2)
  const command = ['npm start', ...(flags.length > 0 ? ['--'] : []), ...flags].join(' ')
  const date = new Date().toISOString().slice(0, 10)
  return [
    `Measured ${date} with \`${command}\`, in \`bench/\`.`,
    `Rounds: ${rounds}, the systems interleaved, each measure of each system in a process`,
    'of its own. Figures are median (min–max) of the rounds.',
    '',
  ]
}

const options = readOptions()
checkBuilt(options.suites)
const dir = inFolder('.data')
rmSync(dir, { recursive: true, force: true })
mkdirSync(dir, { recursive: true })
for (const suite of options.suites) await runSuite(suite, options, dir)
rmSync(dir, { recursive: true, force: true })
