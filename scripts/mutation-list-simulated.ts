import type { Mutation } from './mutation.ts'

const simulated = ['test/simulation/simulation.test.ts']
const regressions = ['test/simulation/regressions.test.ts']
const lowdb = 'src/stores/lowdb'
const orchestrator = 'src/orchestrator'
const schedules = `${orchestrator}/schedules`

/**
 * What shows when much goes wrong at once. Where a name begins with `simulated`, other tests notice
 * as well, and the simulator has to notice alone.
 */
export const simulatedMutations: readonly Mutation[] = [
  {
    name: 'simulated: rev of a commit',
    file: 'src/stores/table.ts',
    find: "if (current.rev !== commit.rev) return { outcome: 'conflict', record: current }",
    replace: '',
    tests: simulated,
  },
  {
    name: 'simulated: pause in the claim',
    file: 'src/stores/claiming.ts',
    find: 'if (setting.paused || queue.counts.ready === 0)',
    replace: 'if (queue.counts.ready === 0)',
    tests: simulated,
  },
  {
    name: 'simulated: bound of concurrency',
    file: `${orchestrator}/intake.ts`,
    find: 'Math.max(0, settings.concurrency - pool.handlers)',
    replace: 'settings.concurrency',
    tests: simulated,
  },
  {
    name: 'simulated: abandoned are excluded',
    file: 'src/stores/claiming.ts',
    find: 'if (exclude.has(row.record.id)) {',
    replace: 'if (exclude.has("")) {',
    tests: simulated,
  },
  {
    name: 'what lapsed is taken back',
    file: 'src/stores/sweep.ts',
    find: 'row.record.lease && row.record.lease.until <= now',
    replace: 'now < 0',
    tests: simulated,
  },
  {
    name: 'a commit that was refused comes again',
    file: `${orchestrator}/committer.ts`,
    find: 'this.#waiting.unshift(...group)',
    replace: 'void group',
    tests: simulated,
  },
  {
    name: 'a conflict is decided again',
    file: `${orchestrator}/job-run.ts`,
    find: '    this.#adopt(answer.record)\n    this.#decide()',
    replace: '    this.#adopt(answer.record)',
    tests: simulated,
  },
  {
    name: 'a sweep that was refused comes again',
    file: `${orchestrator}/sweeper.ts`,
    find: 'this.#arm(now() + this.#retryMs * (0.5 + env.random() / 2))',
    replace: 'void env',
    tests: simulated,
  },
  {
    name: 'a claim that was refused comes again',
    file: `${orchestrator}/claimer.ts`,
    find: '        this.#retry = null\n        this.#request(false)',
    replace: '        this.#retry = null',
    tests: ['test/orchestrator/failing-store.test.ts'],
  },
  {
    name: 'a handler that will not end is abandoned',
    file: `${orchestrator}/job-run.ts`,
    find: '    this.#endJob?.()\n    this.#decide()',
    replace: '    this.#endJob?.()',
    tests: simulated,
  },
  {
    name: 'simulated: seam of a replay',
    file: 'src/observe/replay.ts',
    find: 'if (entry.seq <= (this.#position.get(entry.queue) ?? 0)) return',
    replace: '',
    tests: simulated,
  },
  {
    name: 'simulated: journal sync',
    file: `${lowdb}/journal.ts`,
    find: 'await this.#file.append(line)\n    await this.#file.datasync()',
    replace: 'await this.#file.append(line)',
    tests: simulated,
  },
  {
    name: 'sync of a checkpoint',
    file: `${lowdb}/checkpoint.ts`,
    find: 'false)\n      await file.datasync()',
    replace: 'false)',
    tests: simulated,
  },
  {
    name: 'simulated: rollback of a failed write',
    file: `${lowdb}/group-commit.ts`,
    find: '      this.#rollback()\n      for (const waiting of batch) {',
    replace: '      this.#rows.accept()\n      for (const waiting of batch) {',
    tests: simulated,
  },
  {
    name: 'simulated: reclaim at boot',
    file: 'src/stores/table.ts',
    find: "for (const row of live) this.rows.step(row, { type: 'stall', now, by })",
    replace: 'void by',
    tests: simulated,
  },
  {
    name: 'simulated: bound of what is queued',
    file: 'src/stores/insertion.ts',
    find: 'if (maxQueued) checkRoom(rows, jobs, maxQueued, now)',
    replace: '',
    tests: simulated,
  },
  {
    name: 'simulated: version of a conditional insert',
    file: 'src/stores/insertion.ts',
    find: 'if (setting && rows.setting(setting.key).version !== setting.version) return []',
    replace: '',
    tests: simulated,
  },
  {
    name: 'simulated: what is caught up',
    file: `${schedules}/advance.ts`,
    find: "const fire = catchUp === 'one' || now - newest <= latenessMs ? [newest] : []",
    replace: "const fire = catchUp === 'one' && count === 1 ? [newest] : []",
    tests: simulated,
  },
  {
    name: 'simulated: pause of a schedule',
    file: `${schedules}/face.ts`,
    find: 'write: { ...old, paused: true, nextAt: null }',
    replace: 'write: { ...old, paused: true }',
    tests: simulated,
  },
  {
    name: 'simulated: change of a schedule',
    file: `${schedules}/face.ts`,
    find: 'if (await store.casSetting(schedulesKey(this.#queue), version, value)) return answer',
    replace: 'await store.casSetting(schedulesKey(this.#queue), version, value); return answer',
    tests: simulated,
  },
  {
    name: 'a schedule that is over stays so',
    file: `${schedules}/firing.ts`,
    find: 'const over = schedule.limit !== null && schedule.fired >= schedule.limit',
    replace: 'const over = schedule.nextAt === null',
    tests: ['test/orchestrator/schedules/races.test.ts'],
  },
  {
    name: 'simulated: obliterate spares what runs',
    file: 'src/stores/obliterating.ts',
    find: 'if (queue.live.size > 0 && !force)',
    replace: 'if (queue.live.size < 0 && !force)',
    tests: simulated,
  },
  {
    name: 'simulated: trailing progress',
    file: `${orchestrator}/job-run.ts`,
    find: 'progress: this.#reports.progress, timedOut, stopping',
    replace: 'progress: null, timedOut, stopping',
    tests: simulated,
  },
  {
    name: 'cut of a torn tail',
    file: `${lowdb}/engine.ts`,
    find: 'await disk.truncate(torn.path, torn.from)',
    replace: 'void disk',
    tests: ['test/stores/lowdb'],
  },
  {
    name: 'what could not be begun is emptied',
    file: `${lowdb}/journal.ts`,
    find: 'await quietly(this.#disk.truncate(segment.path, 0))',
    replace: 'true',
    tests: regressions,
  },
  {
    name: 'what may come back is not gone on from',
    file: `${lowdb}/journal.ts`,
    find: 'if (!emptied) await this.close()',
    replace: 'void emptied',
    tests: regressions,
  },
  {
    name: 'what is read at boot is synced',
    file: `${lowdb}/engine.ts`,
    find: 'if (last) await syncFile(disk, last.path)',
    replace: 'void last',
    tests: regressions,
  },
  {
    name: 'a lock that was given back is not renewed',
    file: `${lowdb}/lock.ts`,
    find: 'if (this.#released) return',
    replace: '',
    tests: regressions,
  },
]
