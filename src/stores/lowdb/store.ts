import { resolve } from 'node:path'
import { invalidOption, TroupeErrorOf } from '../../errors.ts'
import { Broadcast } from '../broadcast.ts'
import type { Capabilities, Store, StoreContext, StoreSession } from '../store.ts'
import { sweepTable } from '../sweep.ts'
import type { Table } from '../table.ts'
import type { Sizes } from './engine.ts'
import { toStoreError } from './group-commit.ts'
import { takeShare } from './share.ts'
import type { Share } from './share.ts'

/** Options of `lowdbStore`, in bytes. The defaults are right for nearly everybody. */
export interface LowdbOptions {
  /** Write a checkpoint when the journal has grown by this much. Default 32 MiB. */
  readonly checkpointBytes?: number
  /** Begin a new segment of the journal when one has this size. Default 8 MiB. */
  readonly segmentBytes?: number
}

const defaultCheckpointBytes = 32 * 1024 * 1024
const defaultSegmentBytes = 8 * 1024 * 1024

/**
 * Keeps everything in memory, and all of it on disk, for one process at a time. What was
 * acknowledged survives the end of the process and of the power. Needs the package `lowdb`.
 *
 * - `<path>`: the checkpoint, a JSON file of all jobs, one in each line, written from time to
 *   time and at the end. Delete its last line `"crc32"` and the comma before it when you have
 *   edited the file by hand.
 * - `<path>.journal/00000001.jsonl` …: what happened since, one line for each group of
 *   changes; older segments stay as long as the log of transitions needs them. Checkpoint and
 *   journal belong together: back them up, move and delete them together.
 * - `<path>.lock`: who holds the file. `<path>.tmp`: a checkpoint that is being written.
 *
 * `open` rejects with `store-locked` (another process holds the file), `store-damaged` (with file
 * and byte offset; nothing was changed), `store-failed` (the disk failed) or `missing-package`.
 * Operations reject with `store-failed` while the disk does, and go on when it works again.
 * Opening the same file twice in one process gives the same store to both.
 */
export function lowdbStore(path: string, options: LowdbOptions = {}): Store {
  if (typeof path !== 'string' || path === '') {
    throw invalidOption('path', 'the path of a file', path)
  }
  const {
    checkpointBytes = defaultCheckpointBytes, segmentBytes = defaultSegmentBytes,
  } = options
  return new LowdbStore(resolve(path), { checkpointBytes, segmentBytes })
}

class LowdbStore implements Store {
  readonly name = 'lowdb'
  readonly capabilities: Capabilities = {
    durable: true, multiProcess: false, push: true, transactionalAdd: false,
  }
  readonly #path: string
  readonly #sizes: Sizes
  readonly #broadcast = new Broadcast()
  readonly #shares: Share[] = []
  #unwatch: () => void = () => undefined

  constructor(path: string, sizes: Sizes) {
    this.#path = path
    this.#sizes = sizes
  }

  async open(context: StoreContext): Promise<StoreSession> {
    const share = await takeShare(context, this.#path, this.#sizes)
    const watches = this.#shares.push(share) > 1
    if (!watches) {
      this.#unwatch = share.engine.broadcast.watch((event) => { this.#broadcast.emit([event]) })
    }
    return { now: () => context.env.now() }
  }

  async close(): Promise<void> {
    const share = this.#shares.pop()
    if (!share) return
    const unwatch = this.#shares.length === 0 ? this.#unwatch : undefined
    await share.release()
    unwatch?.()
  }

  insert: Store['insert'] = (jobs, options) =>
    this.#run('insert', (table) => table.insert(jobs, options))

  claim: Store['claim'] = (request) => this.#run('claim', (table) => table.claim(request))
  commit: Store['commit'] = (commits) => this.#run('commit', (table) => table.commit(commits))
  apply: Store['apply'] = (requests) => this.#run('apply', (table) => table.apply(requests))
  restore: Store['restore'] = (part) => this.#run('restore', (table) => table.restore(part))
  progress: Store['progress'] = (all) => this.#run('progress', (table) => table.progress(all))
  renew: Store['renew'] = (beat) => this.#read('renew', (table) => table.renew(beat))
  get: Store['get'] = (ids) => this.#read('get', (table) => table.get(ids))
  list: Store['list'] = (query) => this.#read('list', (table) => table.list(query))
  explain: Store['explain'] = (queue, id, limits) =>
    this.#read('explain', (table) => table.explain(queue, id, limits))

  workers: Store['workers'] = () => this.#read('workers', (table) => table.workers())
  counts: Store['counts'] = (queue) => this.#read('counts', (table) => table.counts(queue))
  getSetting: Store['getSetting'] = (key) =>
    this.#read('getSetting', (table) => table.getSetting(key))

  sweep: Store['sweep'] = (request) =>
    this.#run('sweep', (table, now) => sweepTable(table, request, now))

  readLog: Store['readLog'] = (queue, after, limit) =>
    this.#read('readLog', (table) => table.readLog(queue, after, limit))

  casSetting: Store['casSetting'] = (key, version, value) =>
    this.#run('casSetting', (table) => table.casSetting(key, version, value))

  watch: Store['watch'] = (listener) => this.#broadcast.watch(listener)
  tail: Store['tail'] = (listener) => this.#broadcast.tail(listener)
  wake: Store['wake'] = (queue) => {
    this.#shares[0]?.engine.broadcast.emit([{ type: 'wake', queue }])
  }

  async announce(address: string | null): Promise<void> {
    const engine = this.#shares[0]?.engine
    if (!engine) throw stopped('announce')
    await engine.announce(address).catch((error: unknown) => {
      throw toStoreError('announce', error)
    })
  }

  #run<T>(name: string, operation: (table: Table, now: number) => T): Promise<T> {
    const engine = this.#shares[0]?.engine
    if (!engine) return Promise.reject(stopped(name))
    return engine.commit.run(name, () => operation(engine.table, engine.now()))
  }

  #read<T>(name: string, operation: (table: Table) => T): Promise<T> {
    const engine = this.#shares[0]?.engine
    if (!engine) return Promise.reject(stopped(name))
    return engine.commit.read(name, () => operation(engine.table))
  }
}

function stopped(operation: string): Error {
  return new TroupeErrorOf('stopped', `${operation}: the store is not open`, { operation })
}
