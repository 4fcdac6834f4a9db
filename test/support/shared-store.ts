import { memoryStore } from 'troupe'
import type { Store } from 'troupe'
import type { Env } from '../../src/env.ts'
import { createRecord } from '../../src/records/job.ts'
import type { LogEntry } from '../../src/records/transition.ts'
import { Broadcast } from '../../src/stores/broadcast.ts'
import type {
  Change, Commit, CommitAnswer, Interest, InsertAnswer, StoreEvent, Transaction,
} from '../../src/stores/store.ts'

/** A transaction of a test's, on the store of `sharedStore`. */
export interface TestTransaction extends Transaction {
  commit(): Promise<void>
  rollback(): void
}

class HeldBack implements TestTransaction {
  readonly #work: (() => Promise<unknown>)[] = []

  query(): Promise<never> {
    return Promise.reject(new Error('the store of the test asks no database'))
  }

  hold(work: () => Promise<unknown>): void {
    this.#work.push(work)
  }

  async commit(): Promise<void> {
    for (const work of this.#work.splice(0)) await work()
  }

  rollback(): void {
    this.#work.length = 0
  }
}

export function transaction(): TestTransaction {
  return new HeldBack()
}

interface Session {
  readonly broadcast: Broadcast
  readonly interests: Set<Interest>
}

/**
 * A store that several processes share, as far as one process can play that: each session hears of
 * its own changes at once and without a number, of those of others only what concerns it, and the
 * log is numbered a turn later. What a real one adds is its server.
 */
export class SharedStore {
  readonly inner = memoryStore()
  readonly #env: Pick<Env, 'now' | 'soon'>
  readonly #sessions = new Set<Session>()
  readonly #tails = new Set<(entries: readonly LogEntry[]) => void>()
  /** Events of the call that is being made. */
  #heard: StoreEvent[] = []

  constructor(env: Pick<Env, 'now' | 'soon'>) {
    this.#env = env
    this.inner.watch((event) => { this.#heard.push(event) })
  }

  /** What one process has of it. */
  session(): Store {
    const session: Session = { broadcast: new Broadcast(), interests: new Set() }
    const { inner } = this
    const own: Partial<Store> = {
      name: 'shared',
      capabilities: { durable: false, multiProcess: true, push: true, transactionalAdd: true },
      open: async (context) => {
        const opened = await inner.open(context)
        this.#sessions.add(session)
        return opened
      },
      close: async () => { this.#sessions.delete(session) },
      watch: (listener, interest) => {
        if (interest) session.interests.add(interest)
        const stop = session.broadcast.watch(listener)
        return () => {
          stop()
          if (interest) session.interests.delete(interest)
        }
      },
      tail: async (listener) => {
        await new Promise<void>((resolve) => { this.#env.soon(resolve) })
        this.#tails.add(listener)
        return () => { this.#tails.delete(listener) }
      },
      wake: (queue) => {
        for (const each of this.#sessions) {
          each.broadcast.emit([{ type: 'wake', queue }])
          this.#tellFollowed(each)
        }
      },
      insert: async (jobs, { transaction: held, ...options } = {}) => {
        const insert = (): ReturnType<Store['insert']> => inner.insert(jobs, options)
        if (!(held instanceof HeldBack)) return this.#run(session, insert)
        held.hold(() => this.#run(null, insert))
        return jobs.map((job): InsertAnswer =>
          ({ created: true, record: createRecord(job, this.#env.now()) }))
      },
      commit: async (commits, { transaction: held } = {}) => {
        if (!(held instanceof HeldBack)) return this.#run(session, () => inner.commit(commits))
        held.hold(() => this.#run(null, () => inner.commit(commits)))
        return Promise.all(commits.map((commit) => this.#judge(commit)))
      },
    }
    return new Proxy(inner, {
      get: (target, name) => {
        const source = name in own ? own : target
        const member: unknown = Reflect.get(source, name, source)
        if (source === own || typeof member !== 'function') return member
        return (...args: unknown[]): unknown =>
          this.#run(session, () => Reflect.apply(member, target, args) as unknown)
      },
    })
  }

  /** What a commit in a transaction would do as things are. */
  async #judge({ record, fence, rev }: Commit): Promise<CommitAnswer> {
    const [current] = await this.inner.get([record.id])
    if (current?.fence !== fence || current.lease === null) return { outcome: 'lost' }
    return current.rev === rev
      ? { outcome: 'ok', record } : { outcome: 'conflict', record: current }
  }

  /** Makes a call of a session, or of a transaction that nobody here has made. */
  #run<T>(session: Session | null, call: () => T): T {
    const before = this.#heard
    this.#heard = []
    const answer = call()
    const heard = this.#heard
    this.#heard = before
    const changes = heard.flatMap((event) => (event.type === 'changes' ? event.changes : []))
    if (heard.length > 0) this.#tellOthers(session, heard, changes)
    session?.broadcast.emit(heard.map((event) =>
      (event.type === 'changes' ? { ...event, changes: changes.map(unnumbered) } : event)))
    return answer
  }

  #tellOthers(
    session: Session | null, heard: readonly StoreEvent[], changes: readonly Change[],
  ): void {
    const general = heard.filter(({ type }) => type === 'wake' || type === 'setting')
    this.#env.soon(() => {
      const entries = changes.map(({ entry }) => ({ ...entry }))
      if (entries.length > 0) for (const tail of this.#tails) tail(entries)
      for (const other of this.#sessions) {
        if (other === session || session === null) continue
        const jobs = changes
          .filter(({ entry }) =>
            [...other.interests].some((interest) => interest.has(entry.jobId)))
          .map(({ entry, record }) => ({ id: entry.jobId, queue: entry.queue, record }))
        if (jobs.length > 0) other.broadcast.emit([{ type: 'moved', jobs }])
        other.broadcast.emit(general)
      }
    })
  }

  #tellFollowed({ interests, broadcast }: Session): void {
    const ids = [...interests].flatMap((interest) => [...interest.followed()])
    void this.inner.get(ids).then((records) => {
      const jobs = records.flatMap((record) =>
        (record ? [{ id: record.id, queue: record.queue, record }] : []))
      if (jobs.length > 0) broadcast.emit([{ type: 'moved', jobs }])
    })
  }
}

function unnumbered({ entry, record }: Change): Change {
  return { entry: { ...entry, seq: 0 }, record }
}
