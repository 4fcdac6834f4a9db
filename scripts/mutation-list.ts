/** One protection of the product, taken out: `find` in `file` becomes `replace`. */
export interface Mutation {
  readonly name: string
  /** Relative to the root of the repository. */
  readonly file: string
  /** Must occur exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** The tests that should notice: files or folders. */
  readonly tests: readonly string[]
}

const table = 'src/stores/table.ts'
const lowdb = 'src/stores/lowdb'

export const mutations: readonly Mutation[] = [
  {
    name: 'rev of a commit',
    file: table,
    find: "if (current.rev !== commit.rev) return { outcome: 'conflict', record: current }",
    replace: '',
    tests: ['test/contract/memory.test.ts', 'test/model/races.test.ts'],
  },
  {
    name: 'fence of a commit',
    file: table,
    find: 'current.fence !== commit.fence || ',
    replace: '',
    tests: ['test/contract/memory.test.ts', 'test/orchestrator/leases.test.ts'],
  },
  {
    name: 'fence of progress',
    file: table,
    find: '|| row.record.fence !== fence) return null',
    replace: ') return null',
    tests: ['test/contract/memory.test.ts'],
  },
  {
    name: 'operation id',
    file: table,
    find: 'if (current.operation === commit.record.operation) return',
    replace: 'if (current.operation === "no such") return',
    tests: ['test/contract/memory.test.ts', 'test/orchestrator/failing-store.test.ts'],
  },
  {
    name: 'pause in the claim',
    file: table,
    find: 'if (this.#isPaused(name)) return []',
    replace: '',
    tests: ['test/contract/memory.test.ts'],
  },
  {
    name: 'abandoned are excluded',
    file: table,
    find: 'if (exclude.has(record.id)) {',
    replace: 'if (exclude.has("")) {',
    tests: ['test/contract/memory.test.ts', 'test/orchestrator/cancel.test.ts'],
  },
  {
    name: 'insert is all or nothing',
    file: table,
    find: 'throw idInUse(job.id, other, index)',
    replace: 'void idInUse(job.id, other, index)',
    tests: ['test/contract/memory.test.ts'],
  },
  {
    name: 'publish after commit',
    file: `${lowdb}/group-commit.ts`,
    find: 'if (group && await this.#write(group, batch)) this.#broadcast.emit(group.events)',
    replace: 'if (group) { this.#broadcast.emit(group.events); await this.#write(group, batch) }',
    tests: ['test/stores/lowdb', 'test/contract/lowdb.test.ts'],
  },
  {
    name: 'rollback of a failed write',
    file: `${lowdb}/group-commit.ts`,
    find: '      this.#rollback()\n      for (const waiting of batch) {',
    replace: '      this.#rows.accept()\n      for (const waiting of batch) {',
    tests: ['test/stores/lowdb'],
  },
  {
    name: 'order of the observers',
    file: 'src/stores/broadcast.ts',
    find: 'if (this.#draining) return',
    replace: '',
    tests: ['test/observe/order.test.ts'],
  },
  {
    name: 'seam of a replay',
    file: 'src/observe/replay.ts',
    find: 'if (entry.seq <= (this.#position.get(entry.queue) ?? 0)) return',
    replace: '',
    tests: ['test/observe/replay.test.ts'],
  },
  {
    name: 'trailing progress',
    file: 'src/orchestrator/job-run.ts',
    find: 'progress: this.#gate.latest }',
    replace: 'progress: null }',
    tests: ['test/observe/progress.test.ts'],
  },
  {
    name: 'bound of concurrency',
    file: 'src/orchestrator/queue-actor.ts',
    find: 'return this.settings.concurrency - this.pool.handlers',
    replace: 'return this.settings.concurrency',
    tests: ['test/orchestrator/running.test.ts', 'test/model/memory.test.ts'],
  },
  {
    name: 'no claims while failing',
    file: 'src/orchestrator/queue-actor.ts',
    find: 'if (!this.isAccepting || this.#workshop.committer.failing) return 0',
    replace: 'if (!this.isAccepting) return 0',
    tests: ['test/orchestrator/failing-store.test.ts'],
  },
  {
    name: 'lost lease ends the attempt',
    file: 'src/orchestrator/leases.ts',
    find: "if (gone.has(run.record.id)) queue.pool.send(run.record.id, { type: 'lease.lost' })",
    replace: 'if (gone.has(run.record.id)) void queue',
    tests: ['test/orchestrator/leases.test.ts'],
  },
  {
    name: 'throwing observers',
    file: 'src/observe/safe-observable.ts',
    find: '      report(error, `an observer\'s ${callback} callback threw`)',
    replace: '      throw error',
    tests: ['test/observe/order.test.ts'],
  },
  {
    name: 'journal sync',
    file: `${lowdb}/journal.ts`,
    find: 'await this.#file.append(line)\n    await this.#file.datasync()',
    replace: 'await this.#file.append(line)',
    tests: ['test/stores/lowdb'],
  },
  {
    name: 'checksum of the journal',
    file: `${lowdb}/frame.ts`,
    find: 'if (header !== `${hex(length)} ${hex(crc32(payload))} `) return null',
    replace: '',
    tests: ['test/stores/lowdb'],
  },
  {
    name: 'lock of the file',
    file: `${lowdb}/lock.ts`,
    find: 'if (found && !await this.#isStale(found)) throw',
    replace: 'if (found && this.#file === "") throw',
    tests: ['test/stores/lowdb'],
  },
  {
    name: 'reclaim at boot',
    file: 'src/stores/table.ts',
    find: "for (const row of live) this.#step(row, { type: 'stall', now, by })",
    replace: 'void by',
    tests: ['test/stores/lowdb', 'test/contract/lowdb.test.ts'],
  },
]
