import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { createTroupe } from 'troupe'
import type { JobRecord, TransitionEvent } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const widths = [160, 320, 640, 1024]

let place = ''
const children = new Set<ChildProcess>()

beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), 'troupe-photos-'))
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await rm(place, { recursive: true, force: true })
})

const at = (name: string): string => join(place, name)

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly out: string
  readonly errors: string
}

/** The real example in a process of its own; `on` gets what it has printed so far. */
function run(
  args: readonly string[], on: (out: string, child: ChildProcess) => void = () => undefined,
): Promise<Ended> {
  const child = spawn(process.execPath, [
    '--import', 'tsx', join(root, 'examples', 'photos', 'main.ts'),
    '--data', at('data'), '--output', at('output'), ...args,
  ], { cwd: root, env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') } })
  children.add(child)
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
    on(out, child)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { errors += text })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => { resolve({ code, signal, out, errors }) })
  })
}

/** Sends a signal when so many jobs have completed. */
function after(completed: number, signal: NodeJS.Signals) {
  let sent = false
  return (out: string, child: ChildProcess): void => {
    if (sent || out.split(/ completed\n/).length <= completed) return
    sent = true
    child.kill(signal)
  }
}

async function makePhotos(...names: readonly string[]): Promise<string> {
  await mkdir(at('photos'))
  const noise = { type: 'gaussian', mean: 128, sigma: 10 } as const
  const image = sharp({
    create: { width: 640, height: 360, channels: 3, background: 'white', noise },
  })
  await Promise.all(names.map((name) => image.clone().toFile(join(at('photos'), name))))
  return at('photos')
}

/** Checks that just these pictures are there, whole, and as wide as their names say. */
async function expectThumbnails(names: readonly string[]): Promise<void> {
  const files = names.flatMap((name) =>
    widths.map((width) => ({ file: `${name}-${width}.webp`, width })))
  expect((await readdir(at('output'))).sort()).toEqual(files.map(({ file }) => file).sort())
  for (const { file, width } of files) {
    const picture = sharp(join(at('output'), file))
    expect(await picture.metadata()).toMatchObject({ format: 'webp', width })
    await picture.stats()
  }
}

/** All jobs, from the store that the example left. */
async function readJobs(): Promise<readonly JobRecord[]> {
  const troupe = await createTroupe({ store: lowdbStore(join(at('data'), 'jobs.json')) })
  try {
    return (await troupe.queue('image_processing').list()).jobs
  } finally {
    await troupe.stop()
  }
}

function count(jobs: readonly JobRecord[], event: TransitionEvent, since = 0): number {
  return jobs.filter(({ timeline }) =>
    timeline.some((entry) => entry.event === event && entry.at >= since)).length
}

describe('the photo example', { timeout: 60_000 }, () => {
  test('makes all thumbnails, cancels one job on the way, and ends with a table', async () => {
    const { code, out, errors } = await run([])
    expect(errors).toBe('')
    expect(code).toBe(0)
    await expectThumbnails([
      'airplane-from-above', 'black-canyon', 'dust-bowl-home',
      'french-alpine-landscape', 'march-pastoral', 'nagasaki-boats',
    ])
    expect(out).toMatch(/^First run: 25 jobs\.$/m)
    expect(out).toMatch(/^black-canyon +640 px +load$/m)
    expect(out).toMatch(/^airplane-from-above +2560 px +cancelling: another banner was chosen$/m)
    expect(out).toMatch(/^airplane-from-above +2560 +cancelled +1 +[\d,]+$/m)
    expect(out).toMatch(/^nagasaki-boats +1024 +completed +1 +[\d,]+ +[\d,]+$/m)
    expect(out).toMatch(/^25 jobs: 24 completed, 1 cancelled\.$/m)
    const banner = (await readJobs()).find(({ state }) => state === 'cancelled')
    expect(banner?.timeline.map(({ to }) => to)).toEqual([
      'ready', 'running', 'cancelling', 'cancelled',
    ])
  })

  test('carries on after SIGKILL, and makes nothing twice', async () => {
    const folder = await makePhotos('a.jpg', 'b.png', 'c.webp')
    const killed = await run([folder], after(3, 'SIGKILL'))
    expect(killed.signal).toBe('SIGKILL')
    const restartedAt = Date.now()
    const { code, out, errors } = await run([folder])
    expect(errors).toBe('')
    expect(code).toBe(0)
    await expectThumbnails(['a.jpg', 'b.png', 'c.webp'])
    expect(out).toMatch(/^13 jobs: 12 completed, 1 cancelled\.$/m)

    const jobs = await readJobs()
    const [, left, died] = found(
      out, /^Carrying on: (\d+) of 13 jobs were left, (\d+) were running when the process died\.$/m,
    )
    expect(left).toBe(count(jobs, 'claim', restartedAt))
    expect(left).toBeLessThanOrEqual(13 - 3)
    expect(died).toBeGreaterThan(0)
    for (const { timeline } of jobs.filter(({ state }) => state === 'completed')) {
      const events = timeline.map(({ event }) => event)
      expect(events).toEqual(events.includes('stall')
        ? ['add', 'claim', 'stall', 'claim', 'complete']
        : ['add', 'claim', 'complete'])
    }
  })

  test('drains on SIGINT: what runs ends, the rest is there for the next start', async () => {
    const folder = await makePhotos('a.jpg', 'b.jpg', 'c.jpg')
    const stopped = await run([folder], after(2, 'SIGINT'))
    expect(stopped.errors).toBe('')
    expect(stopped.code).toBe(0)
    expect(stopped.out).toMatch(/^Stopping: what runs may end, the rest stays stored\.$/m)
    const [, left] = found(stopped.out, /^Stopped: (\d+) jobs are left/m)
    const states = (await readJobs()).map(({ state }) => state)
    expect(left).toBeGreaterThan(0)
    expect(states.filter((state) => state === 'queued')).toHaveLength(left ?? 0)
    expect(states).not.toContain('running')

    const { code, out } = await run([folder])
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`^Carrying on: ${left} of 13 jobs were left\\.$`, 'm'))
    await expectThumbnails(['a.jpg', 'b.jpg', 'c.jpg'])
    const jobs = await readJobs()
    expect(jobs.every(({ attempt }) => attempt === 1)).toBe(true)
  })

  test('a broken picture fails alone, and the next start begins anew', async () => {
    const folder = await makePhotos('good.jpg')
    await writeFile(join(folder, 'torn.png'), 'no picture')
    const { code, out } = await run([folder])
    expect(code).toBe(1)
    await expectThumbnails(['good.jpg'])
    expect(out).toMatch(/^torn\.png +320 +failed +1.*\n {2}Input buffer contains unsupported/m)
    expect(out).toMatch(/^9 jobs: 4 completed, 1 cancelled, 4 failed\.$/m)

    await rm(join(folder, 'torn.png'))
    const next = await run([folder])
    expect(next.code).toBe(0)
    expect(next.out).toMatch(/^The last run is finished\. New run: 5 jobs\.$/m)
  })

  test('says what is wrong with an empty folder, a missing one and an unknown option', async () => {
    await mkdir(at('empty'))
    const ended = await Promise.all([
      run([at('empty')]), run([at('missing')]), run(['--width', '10']),
    ])
    for (const { code, out } of ended) expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(ended.map(({ errors }) => errors)).toEqual([
      expect.stringContaining(`No photos in ${at('empty')}`),
      expect.stringMatching(/^Cannot read the folder .*missing: ENOENT/),
      expect.stringMatching(/Unknown option '--width'[^]*Usage: npm start/),
    ])
  })
})

/** The numbers that `pattern` finds in `out`, after the whole match. */
function found(out: string, pattern: RegExp): readonly number[] {
  const match = pattern.exec(out)
  expect(match, out).not.toBeNull()
  return (match ?? []).map(Number)
}
