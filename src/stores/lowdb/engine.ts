import { dirname } from 'node:path'
import type { Disk } from '../../env.ts'
import type { StoreContext } from '../store.ts'
import { Broadcast } from '../broadcast.ts'
import type { Touch } from '../group.ts'
import type { Rows } from '../rows.ts'
import { Table } from '../table.ts'
import { CheckpointFile } from './checkpoint.ts'
import { GroupCommit, toStoreError } from './group-commit.ts'
import type { GroupSink } from './group-commit.ts'
import { Journal } from './journal.ts'
import { FileLock } from './lock.ts'
import { noteErasure, Replay } from './replay.ts'
import type { Erasing, Replayed } from './replay.ts'
import type { Segment } from './segment.ts'

/** For tests: when the journal is rolled. */
export interface Sizes {
  /** A checkpoint is due when the journal has grown by this much, or by the checkpoint's size. */
  readonly checkpointBytes: number
  readonly segmentBytes: number
}

/** A failing disk is tried again after as long as the last try took, at most this long. */
const longestRestMs = 1_000

/** One file that is open in this process, whoever shares it. */
export class Engine implements GroupSink {
  readonly table: Table
  readonly broadcast = new Broadcast()
  readonly commit: GroupCommit
  readonly #context: StoreContext
  readonly #rows: Rows
  readonly #lock: FileLock
  readonly #file: CheckpointFile
  readonly #journal: Journal
  readonly #sizes: Sizes
  readonly #erasing: Erasing
  /** The last group that counts, and the last number that was given. */
  #after: number
  #number: number
  /** Bytes and groups since the last checkpoint was begun. */
  #grown: number
  #stale: boolean
  #checkpointing: Promise<void> | null = null
  /** Why nothing can be written until a full checkpoint could. */
  #broken: Error | null = null
  #restUntil = 0

  static async open(context: StoreContext, path: string, sizes: Sizes): Promise<Engine> {
    const { env } = context
    const report = (message: string): void => { context.report(message) }
    const directory = `${path}.journal`
    const file = await CheckpointFile.load(env, path)
    let lock: FileLock | null = null
    try {
      await env.disk.makeDirectory(directory)
      await env.disk.syncDirectory(dirname(path))
      lock = await FileLock.take(env, path, report)
      const table = new Table({ now: () => env.now(), monotonic: () => env.monotonic() })
      const checkpoint = await file.read()
      restore(table.rows, checkpoint)
      const replayed = await new Replay(env.disk, directory, table.rows, checkpoint).run()
      table.rows.sortSettled()
      await tidy(context, replayed)
      const engine = new Engine(context, table, lock, file, replayed, directory, sizes)
      await engine.commit.run('open', () => table.reclaimAll('boot'))
      return engine
    } catch (error) {
      await lock?.release().catch(() => undefined)
      throw toStoreError('open', error)
    }
  }

  private constructor(
    context: StoreContext, table: Table, lock: FileLock, file: CheckpointFile, replayed: Replayed,
    directory: string, sizes: Sizes,
  ) {
    const { env } = context
    this.#context = context
    this.table = table
    this.#rows = table.rows
    this.#lock = lock
    this.#file = file
    this.#sizes = sizes
    this.#erasing = replayed.erasing
    this.#after = replayed.after
    this.#number = replayed.base
    this.#grown = replayed.bytes
    this.#stale = replayed.bytes > 0
    this.#journal = new Journal(env.disk, directory, replayed.segments, replayed.next)
    this.commit = new GroupCommit(
      this.#rows, this.broadcast, this, (action) => { env.soon(action) },
    )
  }

  now(): number {
    return this.#context.env.now()
  }

  /** Ends with a checkpoint of everything. What was acknowledged is safe even when that fails. */
  async close(): Promise<void> {
    await this.commit.drained()
    await this.#checkpointing
    try {
      if (this.#broken !== null) await this.#recover()
      if (this.#stale) await this.#checkpoint()
    } catch (error) {
      this.#report('no checkpoint could be written at the end; the journal has everything', error)
    }
    await this.#journal.close()
    await this.#lock.release().catch((error: unknown) => {
      this.#report('the lock could not be released', error)
    })
  }

  announce(address: string | null): Promise<void> {
    return this.#lock.announce(address)
  }

  prepare(): Promise<void> | undefined {
    const locked = this.#lock.check()
    if (this.#broken === null) return locked
    if (this.#context.env.monotonic() < this.#restUntil) throw this.#broken
    return this.#recover()
  }

  async write(encode: (number: number) => Buffer, touches: readonly Touch[]): Promise<void> {
    const number = this.#number += 1
    const line = encode(number)
    try {
      const { current } = this.#journal
      if (!current || current.bytes + line.length > this.#sizes.segmentBytes) {
        await this.#journal.begin(this.#after, number - 1)
      }
      await this.#journal.append(line, number, touches)
    } catch (error) {
      this.#broken = error as Error
      const gone = await this.#journal.abandon(this.#after, number)
      if (!gone) this.#report('what was rejected just now may be found after a crash', error)
      throw error
    }
    const { current } = this.#journal
    if (current) for (const queue of this.#rows.erased) noteErasure(this.#erasing, current, queue)
    this.#after = number
    this.#grown += line.length
    this.#stale = true
  }

  written(): Promise<void> | undefined {
    const due = this.#grown > Math.max(this.#sizes.checkpointBytes, this.#file.bytes)
    if (!due || this.#checkpointing || this.#broken !== null) return undefined
    return this.#beginCheckpoint()
  }

  /** Only the new segment and the picture of the rows hold up the next group. */
  async #beginCheckpoint(): Promise<void> {
    this.#grown = 0
    try {
      await this.#journal.begin(this.#after, this.#number)
    } catch (error) {
      this.#report('no checkpoint could be begun', error)
      return
    }
    this.#checkpointing = this.#checkpoint().then(
      () => { this.#checkpointing = null },
      (error: unknown) => {
        this.#checkpointing = null
        this.#report('a checkpoint could not be written', error)
      },
    )
  }

  /** Writes all rows as they are now, then removes the segments that nothing needs any more. */
  async #checkpoint(): Promise<void> {
    const unneeded = this.#unneeded()
    const segments = this.#journal.listed(unneeded)
    const picture = { ...this.#rows.snapshot(), group: this.#number, segments }
    this.#grown = 0
    this.#stale = false
    try {
      await this.#file.write(picture, () => this.#lock.verify())
    } catch (error) {
      this.#stale = true
      throw error
    } finally {
      this.#rows.endSnapshot()
    }
    await this.#journal.drop(unneeded)
    for (const segment of unneeded) this.#erasing.delete(segment)
  }

  /**
   * Finished segments that hold nothing which a queue's log still keeps, nor the erasure of what
   * an older one holds.
   */
  #unneeded(): Set<Segment> {
    const { segments } = this.#journal
    // The one before the last says that the last one follows, whether it holds anything or not.
    const last = segments.at(-1)
    const unneeded = new Set<Segment>()
    const told = new Set<string>()
    for (const segment of segments) {
      const { newest } = segment
      const needed = segment === last ||
        [...newest].some(([queue, seq]) => seq >= this.#rows.queue(queue).log.oldest) ||
        [...this.#erasing.get(segment) ?? []].some((queue) => told.has(queue))
      if (needed) for (const queue of newest.keys()) told.add(queue)
      else unneeded.add(segment)
    }
    return unneeded
  }

  /** After a failure: everything into a new checkpoint, and on with a new segment. */
  async #recover(): Promise<void> {
    const { env } = this.#context
    const startedAt = env.monotonic()
    try {
      await this.#checkpointing
      if (!this.#journal.current) await this.#journal.begin(this.#after, this.#number)
      await this.#checkpoint()
      this.#broken = null
      this.#context.report('the disk works again; a new checkpoint was written')
    } catch (error) {
      this.#broken = error as Error
      const now = env.monotonic()
      this.#restUntil = now + Math.min(longestRestMs, now - startedAt)
      throw error
    }
  }

  #report(message: string, cause: unknown): void {
    this.#context.report(`${message}: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

function restore(rows: Rows, checkpoint: Awaited<ReturnType<CheckpointFile['read']>>): void {
  if (!checkpoint) return
  const { settings, counters, starts } = checkpoint
  for (const { record, order } of checkpoint.rows) rows.restore(record, order)
  for (const [key, setting] of settings) rows.restoreSetting(key, setting)
  for (const [queue, kept] of starts) rows.restoreStarts(queue, kept)
  rows.restoreCounters(counters)
}

/** The first changes on the disk, once all of it was found good. */
async function tidy(context: StoreContext, replayed: Replayed): Promise<void> {
  const { torn, notes, leftovers, segments } = replayed
  const { disk } = context.env
  for (const note of notes) context.report(note)
  if (torn) {
    await disk.truncate(torn.path, torn.from)
    context.report(
      `cut an interrupted write of ${torn.length - torn.from} bytes from ${torn.path} at byte ` +
        String(torn.from),
    )
  }
  const last = segments.at(-1)
  if (last) await syncFile(disk, last.path)
  for (const path of leftovers) await disk.remove(path)
}

/**
 * What a killed process has written may be read, and not be on the disk: before anything is built
 * on it, it must be.
 */
async function syncFile(disk: Disk, path: string): Promise<void> {
  const file = await disk.open(path, 'append')
  try {
    await file.datasync()
  } finally {
    await file.close()
  }
}
