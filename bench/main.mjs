/**
 * Runs everything and prints Markdown:
 * `npm start -- [--rounds N] [--only a,b] [--measures a,b] [--jobs N] [--write]`
 */
import { fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machineFacts } from './facts.mjs'
import { measures, ownMeasures } from './measures.mjs'
import { report } from './report.mjs'
import { systems as everySystem } from './systems.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const page = join(here, '..', 'docs', 'benchmarks.md')
const beginMark = '<!-- bench:begin (written by npm start -- --write in bench/) -->'
const endMark = '<!-- bench:end -->'
const childTimeoutMs = 180_000

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
    samples: 500,
    heapJobs: 100_000,
    systems: chosen('only', values.only, everySystem, (system) => system.name),
    measures: chosen('measures', values.measures, Object.keys(measures), (name) => name),
    write: values.write,
  }
}

function positive(name, text) {
  const value = Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`--${name} must be a whole number above 0, not ${text}`)
}

function chosen(name, text, all, nameOf) {
  if (text === '') return all
  const wanted = text.split(',')
  const unknown = wanted.filter((item) => !all.some((candidate) => nameOf(candidate) === item))
  if (unknown.length === 0) return all.filter((candidate) => wanted.includes(nameOf(candidate)))
  throw new Error(`--${name}: unknown ${unknown.join(', ')}; one of ${all.map(nameOf).join(', ')}`)
}

/** The bench measures the built package, not the sources. */
function checkBuilt(systems) {
  const wanted = systems.some((system) => system.packages.includes('troupe'))
  if (!wanted || existsSync(join(here, '..', 'dist'))) return
  throw new Error('troupe is not built: run `npm ci && npm run build` in the main folder first')
}

/** Every round runs each measure on all systems side by side, and starts with another system. */
async function runRounds(options, dir) {
  const { systems } = options
  const rounds = []
  const failures = []
  for (let round = 0; round < options.rounds; round++) {
    const results = Object.fromEntries(systems.map(({ name }) => [name, {}]))
    for (const measure of options.measures) {
      for (let i = 0; i < systems.length; i++) {
        const { name, packages } = systems[(i + round) % systems.length]
        if (ownMeasures.includes(measure) && !packages.includes('troupe')) continue
        process.stderr.write(`round ${round + 1}/${options.rounds} ${measure} ${name}: `)
        try {
          results[name][measure] = await runChild(name, measure, options, dir)
          process.stderr.write(`${describe(results[name][measure])}\n`)
        } catch (error) {
          failures.push(`${name} ${measure}, round ${round + 1}: ${error.message}`)
          process.stderr.write(`FAILED ${error.message}\n`)
        }
      }
    }
    rounds.push(results)
  }
  return { rounds, failures }
}

function runChild(system, measure, { jobs, samples, heapJobs }, dir) {
  const data = mkdtempSync(join(dir, `${system}-`))
  const args = [JSON.stringify({ system, measure, jobs, samples, heapJobs, dir: data })]
  const execArgv = ['--expose-gc']
  return new Promise((resolve, reject) => {
    const child = fork(join(here, 'child.mjs'), args, { execArgv, timeout: childTimeoutMs })
    let values
    child.on('message', (message) => (values = message))
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (code === 0 && values) resolve(values)
      else reject(new Error(`the process ended with ${signal ?? `code ${code}`}`))
    })
  }).finally(() => rmSync(data, { recursive: true, force: true }))
}

const describe = (values) =>
  Object.entries(values)
    .map(([key, value]) => `${key} ${Number(value.toPrecision(4))}`)
    .join(' ')

/** Replaces what stands between the two marks; makes the page when there is none. */
function writePage(text) {
  const block = `${beginMark}\n\n${text}\n\n${endMark}`
  const old = existsSync(page) ? readFileSync(page, 'utf8') : '# Benchmarks\n'
  const begin = old.indexOf(beginMark)
  const end = old.indexOf(endMark)
  const found = begin >= 0 && end > begin
  const next = found
    ? old.slice(0, begin) + block + old.slice(end + endMark.length)
    : `${old.trimEnd()}\n\n${block}\n`
  mkdirSync(dirname(page), { recursive: true })
  writeFileSync(page, next)
}

const options = readOptions()
checkBuilt(options.systems)
const dir = join(here, '.data')
rmSync(dir, { recursive: true, force: true })
mkdirSync(dir, { recursive: true })
const facts = machineFacts(dir)
const { rounds, failures } = await runRounds(options, dir)
rmSync(dir, { recursive: true, force: true })

const command = ['npm start', ...(process.argv.length > 2 ? ['--'] : []), ...process.argv.slice(2)]
const text = report({ ...options, rounds, options, facts, command: command.join(' ') })
console.log(text)
if (failures.length > 0) {
  console.error(`\n${failures.length} failed:\n${failures.join('\n')}`)
  process.exitCode = 1
}
if (options.write && failures.length > 0) console.error('docs/benchmarks.md was left as it was')
else if (options.write) writePage(text)
