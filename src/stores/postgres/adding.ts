import { TroupeError } from '../../errors.ts'
import type { NewJob } from '../../records/job.ts'
import type { InsertAnswer, InsertOptions, Transaction } from '../store.ts'
import type { Connected } from './connected.ts'
import { runIn } from './database.ts'
import { isUniqueViolation } from './faults.ts'
import { findInserted, IdRaced, insertChecked, insertPlain, isPlain } from './inserting.ts'
import { Work } from './work.ts'

/** How often an add is tried that others come before. */
const races = 20

/** Stores new jobs in a transaction of the store's own, and tells of them. */
export async function insertJobs(
  connected: Connected, jobs: readonly NewJob[], options: InsertOptions,
): Promise<readonly InsertAnswer[]> {
  if (jobs.length === 0 && !options.setting) return []
  const now = connected.now()
  if (isPlain(jobs, options)) {
    const { run, schema, database } = connected
    return database.persist('an add', async (again) => {
      const found = again ? await findInserted(run, schema, jobs) : null
      if (found) {
        for (const queue of new Set(jobs.map((job) => job.queue))) connected.wake(queue)
        return found
      }
      const changes = await insertPlain(run, schema, jobs, now)
      connected.publish(changes)
      return changes.map(({ record }) => ({ created: true, record }))
    })
  }
  for (let race = 0; ; race += 1) {
    try {
      return await connected.decide('an add', async (work, again) => {
        const answers = await insertChecked(work, jobs, options)
        return again ? withOwn(answers, jobs, work) : answers
      })
    } catch (error) {
      if (race === races || !isRace(error)) throw error
    }
  }
}

/** The first try may have made them, though no answer came. */
function withOwn(
  answers: readonly InsertAnswer[], jobs: readonly NewJob[], { now }: Work,
): readonly InsertAnswer[] {
  const ids = new Set(jobs.map(({ id }) => id))
  const recent = now - 60_000
  return answers.map((answer) => (ids.has(answer.record.id) && answer.record.createdAt > recent
    ? { ...answer, created: true } : answer))
}

/** Stores new jobs on the caller's connection: they exist when the caller commits. */
export async function insertWithin(
  connected: Connected, jobs: readonly NewJob[], options: InsertOptions, transaction: Transaction,
): Promise<readonly InsertAnswer[]> {
  const run = runIn(transaction)
  const { schema } = connected
  if (isPlain(jobs, options)) {
    const changes = await insertPlain(run, schema, jobs, connected.now())
    return changes.map(({ record }) => ({ created: true, record }))
  }
  for (let race = 0; ; race += 1) {
    await run('savepoint troupe', [])
    try {
      const work = new Work(run, schema, connected.now())
      const answers = await insertChecked(work, jobs, options)
      await work.flush()
      await run('release savepoint troupe', [])
      return answers
    } catch (error) {
      await run('rollback to savepoint troupe', [])
      if (race === races || !isRace(error)) throw error
    }
  }
}

function isRace(error: unknown): boolean {
  return error instanceof IdRaced || isUniqueViolation(error) ||
    (error instanceof TroupeError && error.cause instanceof IdRaced)
}
