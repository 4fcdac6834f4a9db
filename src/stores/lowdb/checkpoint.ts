import { dirname } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Adapter, Low } from 'lowdb'
import { TroupeErrorOf } from '../../errors.ts'
import type { Env } from '../../env.ts'
import type { StoredRow } from '../picture.ts'
import type { Counters, Snapshot } from '../group.ts'
import type { Setting } from '../settings.ts'
import type { Start } from '../starts.ts'
import { damaged } from './segment.ts'
import type { ListedSegment } from './segment.ts'

/** All rows as of the end of group number `group`. */
export interface Checkpoint extends Snapshot {
  readonly group: number
  /** The segments that were kept, the one that was begun at that moment included. */
  readonly segments: readonly ListedSegment[]
}

/** The file in front of its jobs. */
interface Head {
  readonly version: 1
  readonly group: number
  readonly counters: Counters
  readonly settings: Readonly<Record<string, Setting>>
  readonly logs: Readonly<Record<string, number>>
  readonly starts?: Readonly<Record<string, readonly Start[]>>
  readonly segments: readonly ListedSegment[]
}

/** A slice ends with this many jobs or characters: about 2 ms of work. */
const sliceJobs = 250
const sliceText = 256 * 1024
/** How much may wait for the disk, so that no sync holds up those of the journal for long. */
const unsyncedBytes = 4 * 1024 * 1024
const jobsStart = '"jobs": ['
const ending = /\n"crc32": "([0-9a-f]{8})"\n\}\n$/
const headKeys = ['version', 'group', 'counters', 'settings', 'logs', 'segments', 'jobs']

let loading: Promise<{ readonly Low: typeof Low }> | null = null

/** Loaded once; a package that was missing may be there the next time. */
function loadLowdb(): Promise<{ readonly Low: typeof Low }> {
  loading ??= import('lowdb').catch((error: unknown) => {
    loading = null
    throw error
  })
  return loading
}

/** Reads and writes the checkpoint file, by way of lowdb. */
export class CheckpointFile {
  readonly #low: Low<Checkpoint | null>
  readonly #adapter: SlicedJson

  static async load(
    env: Env, path: string,
    lowdb: () => Promise<{ readonly Low: typeof Low }> = loadLowdb,
  ): Promise<CheckpointFile> {
    try {
      return new CheckpointFile(env, path, (await lowdb()).Low)
    } catch (cause) {
      throw new TroupeErrorOf(
        'missing-package', 'lowdbStore needs the package lowdb: npm install lowdb',
        { package: 'lowdb' }, { cause },
      )
    }
  }

  private constructor(env: Env, path: string, LowClass: typeof Low) {
    this.#adapter = new SlicedJson(env, path)
    this.#low = new LowClass<Checkpoint | null>(this.#adapter, null)
  }

  /** Bytes of the file as it was last read or written. */
  get bytes(): number {
    return this.#adapter.bytes
  }

  /** Null when there is no file yet. */
  async read(): Promise<Checkpoint | null> {
    await this.#low.read()
    return this.#forget()
  }

  /** `allowed` is asked at first, and again before the old file is replaced; it may throw. */
  async write(checkpoint: Checkpoint, allowed: () => Promise<void>): Promise<void> {
    this.#adapter.allowed = allowed
    this.#low.data = checkpoint
    try {
      await this.#low.write()
    } finally {
      this.#forget()
    }
  }

  /** The rows live in the table: lowdb must not keep a second picture of them. */
  #forget(): Checkpoint | null {
    const { data } = this.#low
    this.#low.data = null
    return data
  }
}

class SlicedJson implements Adapter<Checkpoint | null> {
  readonly #env: Env
  readonly #path: string
  bytes = 0
  allowed: () => Promise<void> = () => Promise.resolve()

  constructor(env: Env, path: string) {
    this.#env = env
    this.#path = path
  }

  async read(): Promise<Checkpoint | null> {
    const bytes = await this.#env.disk.read(this.#path)
    if (!bytes) return null
    this.bytes = bytes.length
    return parse(bytes, this.#path)
  }

  async write(checkpoint: Checkpoint | null): Promise<void> {
    if (!checkpoint) return
    const { disk } = this.#env
    const draft = `${this.#path}.tmp`
    await this.allowed()
    // A file whose sync has failed is never written again.
    await disk.remove(draft)
    const file = await disk.open(draft, 'exclusive')
    let bytes = 0
    try {
      let checksum = 0
      let unsynced = 0
      const append = async (text: string, checked = true): Promise<void> => {
        const slice = Buffer.from(text)
        if (checked) checksum = crc32(slice, checksum)
        await file.append(slice)
        bytes += slice.length
        unsynced += slice.length
        if (unsynced < unsyncedBytes) return
        await file.datasync()
        unsynced = 0
      }
      await append(`{\n${headText(checkpoint)},\n${jobsStart}`)
      for (const slice of slices(checkpoint.rows)) {
        await append(slice)
        await new Promise<void>((resolve) => { this.#env.soon(resolve) })
      }
      await append('\n],')
      await append(`\n"crc32": "${checksum.toString(16).padStart(8, '0')}"\n}\n`, false)
      await file.datasync()
    } finally {
      await file.close()
    }
    await this.allowed()
    await disk.rename(draft, this.#path)
    await disk.syncDirectory(dirname(this.#path))
    this.bytes = bytes
  }
}

function headText({ group, counters, settings, logs, starts, segments }: Checkpoint): string {
  const head: Head = {
    version: 1,
    group,
    counters,
    settings: Object.fromEntries(settings),
    logs: Object.fromEntries(logs),
    starts: Object.fromEntries(starts),
    segments,
  }
  return Object.entries(head)
    .map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`)
    .join(',\n')
}

function* slices(rows: Iterable<StoredRow>): Generator<string> {
  let slice = ''
  let jobs = 0
  let separator = ''
  for (const row of rows) {
    slice += `${separator}\n${JSON.stringify(row)}`
    separator = ','
    jobs += 1
    if (jobs < sliceJobs && slice.length < sliceText) continue
    yield slice
    slice = ''
    jobs = 0
  }
  if (slice !== '') yield slice
}

/**
 * A file with a checksum is ours, byte by byte. Without that last line it was edited by hand, and
 * any JSON of the same shape will do.
 */
function parse(bytes: Buffer, path: string): Checkpoint {
  const tail = ending.exec(bytes.toString('latin1', Math.max(0, bytes.length - 24)))
  if (!tail) return parseEdited(bytes, path)
  const end = bytes.length - tail[0].length
  if (tail[1] !== crc32(bytes.subarray(0, end)).toString(16).padStart(8, '0')) {
    throw damaged(path, firstFault(bytes), 'its checksum is not that of its content')
  }
  const jobsAt = bytes.indexOf(`\n${jobsStart}`)
  const rows: StoredRow[] = []
  let offset = 0
  try {
    const head = JSON.parse(`${bytes.toString('utf8', 0, jobsAt - 1)}}`) as Head
    // Line by line: one string of the whole could be longer than a string can be.
    offset = jobsAt + 1 + jobsStart.length + 1
    while (bytes[offset] === 0x7b) {
      const next = bytes.indexOf(0x0a, offset)
      const comma = bytes[next - 1] === 0x2c ? 1 : 0
      rows.push(JSON.parse(bytes.toString('utf8', offset, next - comma)) as StoredRow)
      offset = next + 1
    }
    return toCheckpoint(head, rows)
  } catch (error) {
    throw damaged(path, offset, (error as Error).message)
  }
}

function parseEdited(bytes: Buffer, path: string): Checkpoint {
  try {
    const whole = JSON.parse(bytes.toString()) as Head & { readonly jobs: readonly StoredRow[] }
    const missing = headKeys.find((key) => !Object.hasOwn(whole, key))
    const odd = Object.keys(whole).find((key) => key !== 'starts' && !headKeys.includes(key))
    if (missing) throw new Error(`it is no checkpoint: it has no ${missing}`)
    if (odd) throw new Error(`it is no checkpoint: nothing there is called ${odd}`)
    return toCheckpoint(whole, whole.jobs)
  } catch (error) {
    throw damaged(path, firstFault(bytes), (error as Error).message)
  }
}

function toCheckpoint(head: Head, rows: readonly StoredRow[]): Checkpoint {
  const { version, group, counters, settings, logs, starts, segments } = head
  if (version as number !== 1) throw new Error(`its version is ${String(version)}, not 1`)
  return {
    group, counters, segments, rows,
    settings: new Map(Object.entries(settings)),
    logs: new Map(Object.entries(logs)),
    // Older files have none.
    starts: new Map(Object.entries(starts ?? {})),
  }
}

/** The beginning of the first line with a job that is no JSON, or 0: somewhere in the file. */
function firstFault(bytes: Buffer): number {
  const jobsAt = bytes.indexOf(`\n${jobsStart}`)
  let offset = jobsAt < 0 ? bytes.length : jobsAt + 1 + jobsStart.length + 1
  while (offset < bytes.length && bytes[offset] !== 0x5d) {
    const found = bytes.indexOf(0x0a, offset)
    const next = found < 0 ? bytes.length : found
    try {
      JSON.parse(bytes.toString('utf8', offset, next).replace(/,$/, ''))
    } catch {
      return offset
    }
    offset = next + 1
  }
  return 0
}
