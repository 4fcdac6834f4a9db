import { systemEnv } from '../env.ts'
import type { Env } from '../env.ts'
import { Broadcast } from './broadcast.ts'
import type { Capabilities, Store, StoreContext, StoreSession } from './store.ts'
import { sweepTable } from './sweep.ts'
import { Table } from './table.ts'

/**
 * Keeps everything in this process's memory. The default store, and the reference for others.
 * It can be opened by several troupes at once, and again after it was closed, with its jobs.
 */
export function memoryStore(): Store {
  return new MemoryStore()
}

class MemoryStore implements Store {
  readonly name = 'memory'
  readonly capabilities: Capabilities = {
    durable: false, multiProcess: false, push: true, transactionalAdd: false,
  }
  #env: Env = systemEnv
  readonly #now = (): number => this.#env.now()
  readonly #table = new Table({ now: this.#now, monotonic: () => this.#env.monotonic() })
  readonly #broadcast = new Broadcast()

  open({ env }: StoreContext): Promise<StoreSession> {
    this.#env = env
    return Promise.resolve({ now: this.#now })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  insert: Store['insert'] = (jobs, options) =>
    this.#run(() => this.#table.insert(jobs, options))

  claim: Store['claim'] = (request) => this.#run(() => this.#table.claim(request))
  commit: Store['commit'] = (commits) => this.#run(() => this.#table.commit(commits))
  renew: Store['renew'] = (beat) => this.#run(() => this.#table.renew(beat))
  apply: Store['apply'] = (requests) => this.#run(() => this.#table.apply(requests))
  restore: Store['restore'] = (part) => this.#run(() => this.#table.restore(part))
  progress: Store['progress'] = (updates) => this.#run(() => this.#table.progress(updates))
  get: Store['get'] = (ids) => this.#run(() => this.#table.get(ids))
  list: Store['list'] = (query) => this.#run(() => this.#table.list(query))
  explain: Store['explain'] = (queue, id, limits) =>
    this.#run(() => this.#table.explain(queue, id, limits))

  workers: Store['workers'] = () => this.#run(() => this.#table.workers())
  counts: Store['counts'] = (queue) => this.#run(() => this.#table.counts(queue))
  getSetting: Store['getSetting'] = (key) => this.#run(() => this.#table.getSetting(key))

  sweep: Store['sweep'] = (request) =>
    this.#run(() => sweepTable(this.#table, request, this.#now()))

  readLog: Store['readLog'] = (queue, after, limit) =>
    this.#run(() => this.#table.readLog(queue, after, limit))

  casSetting: Store['casSetting'] = (key, version, value) =>
    this.#run(() => this.#table.casSetting(key, version, value))

  watch: Store['watch'] = (listener) => this.#broadcast.watch(listener)
  tail: Store['tail'] = (listener) => this.#broadcast.tail(listener)
  wake: Store['wake'] = (queue) => { this.#broadcast.emit([{ type: 'wake', queue }]) }

  /** Runs one operation; what it did is published before its answer is given. */
  #run<T>(operation: () => T): Promise<T> {
    try {
      const answer = operation()
      const group = this.#table.rows.take()
      if (group) {
        this.#table.rows.accept()
        this.#broadcast.emit(group.events)
      }
      return Promise.resolve(answer)
    } catch (error) {
      this.#table.rows.rollback()
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passed on
      return Promise.reject(error)
    }
  }
}
