import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Coverage } from '../test/simulation/coverage.ts'
import { drawPlan } from '../test/simulation/draw.ts'
import type { Plan } from '../test/simulation/plan.ts'
import { coverageReport, explainFailure } from '../test/simulation/report.ts'
import { simulate } from '../test/simulation/simulation.ts'

/**
 * Runs random simulations of whole clusters, one seed after the other, and holds each to every
 * promise. A seed that fails is shrunk to a short story. Exits with 1 when one fails.
 *
 *   npm run simulate -- --runs 10000 [--seed 1] [--store memory|lowdb] [--workers 2]
 */
const { values } = parseArgs({
  options: {
    'runs': { type: 'string', default: '1000' },
    'seed': { type: 'string', default: '1' },
    'store': { type: 'string' },
    'workers': { type: 'string' },
    /** Seeds that are left out between two, for the workers. */
    'stride': { type: 'string', default: '1' },
    'shown': { type: 'string', default: '3' },
  },
})

const runs = positive('runs', values.runs)
const seed = positive('seed', values.seed)
const stride = positive('stride', values.stride)
const store = storeOf(values.store)

function positive(name: string, text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= 0) return number
  throw new Error(`--${name} must be a whole number; received ${text}`)
}

function storeOf(text: string | undefined): Plan['store'] | undefined {
  if (text === undefined || text === 'memory' || text === 'lowdb') return text
  throw new Error(`--store must be memory or lowdb; received ${text}`)
}

interface Part {
  readonly coverage: Coverage
  readonly failed: number
}

/** This process's part: every `stride`th seed. */
async function runHere(): Promise<Part> {
  const coverage = new Coverage()
  let failed = 0
  for (let index = 0; index < runs; index += 1) {
    const plan = drawPlan(seed + index * stride, store)
    const outcome = await simulate(plan)
    coverage.add(outcome.coverage)
    if (outcome.failures.length === 0) continue
    failed += 1
    if (failed <= Number(values.shown)) console.log(await explainFailure(outcome))
    else console.log(`seed ${plan.seed}: ${outcome.failures.map(({ check }) => check).join()}`)
  }
  return { coverage, failed }
}

/** The same in several processes, for which the seeds are dealt out. */
async function runInWorkers(workers: number): Promise<Part> {
  const coverage = new Coverage()
  const parts = await Promise.all(Array.from({ length: workers }, (_, index) => {
    const share = Math.ceil((runs - index) / workers)
    return runWorker([
      '--runs', String(share), '--seed', String(seed + index), '--stride', String(workers),
      '--workers', '1', '--shown', '1', ...(store ? ['--store', store] : []),
    ])
  }))
  for (const part of parts) coverage.add(part.coverage)
  return { coverage, failed: parts.reduce((sum, { failed }) => sum + failed, 0) }
}

function runWorker(args: readonly string[]): Promise<Part> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), args, { serialization: 'advanced' })
    child.on('message', ({ coverage, failed }: Part) => {
      resolve({ coverage: Object.assign(new Coverage(), coverage), failed })
    })
    child.on('error', reject)
    child.on('exit', (code) => { reject(new Error(`a worker ended with ${String(code)}`)) })
  })
}

async function main(): Promise<void> {
  const workers = Math.min(runs, positive(
    'workers', values.workers ?? String(runs < 100 ? 1 : availableParallelism()),
  ))
  const since = performance.now()
  const { coverage, failed } = workers > 1 ? await runInWorkers(workers) : await runHere()
  if (process.send) {
    process.send({ coverage: { ...coverage }, failed })
    return
  }
  const seconds = (performance.now() - since) / 1000
  console.log(coverageReport(coverage))
  console.log(
    `${runs} runs in ${seconds.toFixed(1)} s, ${(runs / seconds).toFixed(0)} a second; ` +
      `${failed} failed`,
  )
  process.exitCode = failed > 0 ? 1 : 0
}

await main()
