import type { Mutation } from './mutation.ts'

const orchestrator = 'test/orchestrator'
const prefetch = [`${orchestrator}/prefetch.test.ts`]
const shared = [`${orchestrator}/shared.test.ts`]
const watch = [`${orchestrator}/lease-watch.test.ts`]
const completing = [`${orchestrator}/transactional-complete.test.ts`]
const intake = 'src/orchestrator/intake.ts'
const leases = 'src/orchestrator/leases.ts'
const run = 'src/orchestrator/job-run.ts'
const completion = 'src/orchestrator/completion.ts'

/** What protects a process from others that work on the same store. */
export const sharedMutations: readonly Mutation[] = [
  {
    name: 'an end waits for its own row alone',
    file: 'src/stores/postgres/committing.ts',
    find: 'commitHeld(work, open, true)',
    replace: 'commitHeld(work, open)',
    tests: ['test/postgres/transactions.test.ts'],
  },
  {
    name: 'news of others reach the handler',
    file: 'src/orchestrator/news.ts',
    find: 'queues.get(queue)?.actor.changed(id, record)\n',
    replace: '',
    tests: shared,
  },
  {
    name: 'news of others reach followers',
    file: 'src/observe/publisher.ts',
    find: 'for (const { id, record } of event.jobs) this.#tell(id, record)',
    replace: '',
    tests: shared,
  },
  {
    name: 'the interest names what runs here',
    file: 'src/orchestrator/news.ts',
    find: '[...queues.values()].some(({ actor }) => actor.concerns(id))',
    replace: 'false',
    tests: shared,
  },
  {
    name: 'news that overtake a claim',
    file: intake,
    find: 'const record = latest && isOlder(claimed, latest) ? latest : claimed',
    replace: 'const record = claimed',
    tests: shared,
  },
  {
    name: 'a replay waits for the tail',
    file: 'src/observe/replay.ts',
    find: '    await begun\n',
    replace: '',
    tests: ['test/observe/shared-tail.test.ts'],
  },
  {
    name: 'what is numbered before the tail began',
    file: 'src/observe/replay.ts',
    find: 'for (const queue of await this.#queues()) await this.#replay(queue, true)',
    replace: '',
    tests: ['test/observe/shared-tail.test.ts'],
  },
  {
    name: 'the tail ends with its last listener',
    file: 'src/observe/tail.ts',
    find: 'if (this.#listeners.size === 0) this.#end()',
    replace: '',
    tests: ['test/observe/shared-tail.test.ts'],
  },
  {
    name: 'slots are not asked for twice',
    file: 'src/orchestrator/claimer.ts',
    find: 'this.#dry = this.#thrifty && !this.#woken && records.length < wanted.limit',
    replace: 'this.#dry = false',
    tests: shared,
  },
  {
    name: 'long jobs are not hoarded',
    file: 'src/orchestrator/prefetch.ts',
    find: 'Math.floor(this.#ended + this.#endedBefore * (1 - ago))',
    replace: 'mostJobs',
    tests: prefetch,
  },
  {
    name: 'limited queues claim nothing ahead',
    file: intake,
    find: 'multiProcess && rate === null && perPartition === null',
    replace: 'multiProcess',
    tests: prefetch,
  },
  {
    name: 'ttl of what waits for a slot',
    file: intake,
    find: 'expiresAt !== null && workshop.now() >= expiresAt',
    replace: 'expiresAt === -1',
    tests: prefetch,
  },
  {
    name: 'what waits goes back on a limit',
    file: 'src/orchestrator/queue-actor.ts',
    find: 'if (limitedUntil > this.#workshop.now()) this.intake.release()',
    replace: '',
    tests: prefetch,
  },
  {
    name: 'what waits is renewed',
    file: leases,
    find: 'held.push({ queue, id, fence, startedAt: null })',
    replace: 'void id',
    tests: prefetch,
  },
  {
    name: 'what waits and is lost',
    file: leases,
    find: 'if (lost.has(id)) queue.intake.drop(id)\n        else waiting',
    replace: 'waiting',
    tests: prefetch,
  },
  {
    name: 'a start that only this process knows',
    file: run,
    find: 'record.startedAt === null ? { ...record, startedAt: this.#startedAt } : record',
    replace: 'record',
    tests: prefetch,
  },
  {
    name: 'the watch over leases',
    file: leases,
    find: 'if (this.#context.store.capabilities.multiProcess) this.#watch()',
    replace: '',
    tests: watch,
  },
  {
    name: 'a lease that lapsed while the process slept',
    file: run,
    find: 'if (this.#around.isLapsing(this.leaseSince)) return this.#lose()',
    replace: '',
    tests: watch,
  },
  {
    name: 'fence of a renewal',
    file: 'src/stores/table.ts',
    find: 'if (!row || row.record.fence !== fence || !isLive(row.record)) return true',
    replace: 'if (!row || !isLive(row.record)) return true',
    tests: ['test/contract/memory.test.ts'],
  },
  {
    name: 'what lapsed is not renewed',
    file: leases,
    find: '    this.#dropLapsing()\n    const since',
    replace: '    const since',
    tests: watch,
  },
  {
    name: 'a heartbeat that hangs',
    file: leases,
    find: 'this.#beating = env.after(late, () => { next(0) })',
    replace: 'void late',
    tests: watch,
  },
  {
    name: 'nobody to fear on an embedded store',
    file: 'src/orchestrator/lease.ts',
    find: 'this.#shared && ',
    replace: '',
    tests: [...watch, `${orchestrator}/failing-upkeep.test.ts`],
  },
  {
    name: 'a completion that was rolled back',
    file: run,
    find: 'else this.#conclude(this.#outcome)\n  }',
    replace: 'else this.#end()\n  }',
    tests: completing,
  },
  {
    name: 'a completion that has committed',
    file: run,
    find: 'if (this.#completion?.isOpen) this.#review(this.#completion)\n    else this',
    replace: 'this',
    tests: completing,
  },
  {
    name: 'a completed handler cleans up in peace',
    file: run,
    find: 'if (!this.#completion?.isOpen) return this.#lose()',
    replace: 'return this.#lose()',
    tests: completing,
  },
  {
    name: 'its own completion is no news',
    file: run,
    find: 'if (record && this.#completion?.has(record)) return\n',
    replace: '',
    tests: completing,
  },
  {
    name: 'no completion after a cancel',
    file: completion,
    find: "if (record.state === 'cancelling') {",
    replace: "if (record.state === 'failed') {",
    tests: completing,
  },
  {
    name: 'each try has its own operation',
    file: completion,
    find: 'const operation = newOperation()',
    replace: "const operation = [...this.#tries.keys()][0] ?? newOperation()",
    tests: completing,
  },
  {
    name: 'an outage is told once',
    file: 'src/orchestrator/outage.ts',
    find: 'if (this.#failing.size > 0 && now - this.#refusedAt < quietMs) return',
    replace: '',
    tests: [`${orchestrator}/outage.test.ts`],
  },
  {
    name: 'outcomes come before the sweep',
    file: 'src/orchestrator/sweeper.ts',
    find: 'if (isHeldUp()) {',
    replace: 'if (this.#sweeping) {',
    tests: [`${orchestrator}/outage.test.ts`],
  },
]
