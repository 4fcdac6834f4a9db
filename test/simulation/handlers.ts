import { UnrecoverableError } from 'troupe'
import type { Job } from 'troupe'
import type { JournalBook } from '../../src/testing/history/journal-book.ts'
import type { Act, Input, Word } from './plan.ts'

/** A handler that waits to be told how to end. */
export interface Held {
  readonly id: string
  readonly queue: string
  readonly tell: (word: Word) => void
}

/** What handlers need of the process that they run in. */
export interface Ground {
  readonly book: JournalBook
  readonly held: Set<Held>
  /** From now on whatever starts completes. */
  readonly isEnding: () => boolean
  /** Jobs that have met a limit here: they come back uncharged, and once is enough. */
  readonly limited: Set<string>
  /** Resolves so much later, if the process is still alive. */
  readonly sleep: (ms: number) => Promise<void>
  readonly freeze: (ms: number) => void
  readonly crash: () => void
  readonly now: () => number
  readonly acted: (act: Act['act']) => void
}

export type Handler = (job: Job<Input>) => unknown

/** Thrown where the handler is about to return what is no JSON. */
const unfit = new Error('the result is no JSON')

/** Does what the input says, and writes down that it does. */
export function handlerOn(ground: Ground): Handler {
  const { book } = ground
  const inner = book.around<Input>((job) => perform(job, actOf(job, ground), ground))
  return (job) => {
    const { act } = actOf(job, ground)
    ground.acted(act)
    if (act !== 'throw') return act === 'unfit' ? returnUnfit(inner, job) : inner(job)
    const { id, fence, attempt } = job
    const at = ground.now()
    book.write({ what: 'start', id, fence, attempt, at })
    book.write({
      what: 'end', id, fence, at, ending: 'fail', result: null, reported: null, aborted: null,
    })
    throw new Error('at once')
  }
}

function actOf({ attempt, input }: Job<Input>, { isEnding }: Ground): Act {
  return isEnding() ? { act: 'complete' } : input.acts[attempt - 1] ?? { act: 'complete' }
}

async function returnUnfit(inner: Handler, job: Job<Input>): Promise<unknown> {
  try {
    return await inner(job)
  } catch (error) {
    if (error !== unfit) throw error
    return { big: 1n }
  }
}

async function perform(job: Job<Input>, act: Act, ground: Ground): Promise<unknown> {
  const done = `${job.id}#${job.fence}`
  switch (act.act) {
    case 'complete': return done
    case 'fail': throw new Error('boom')
    case 'fatal': throw new UnrecoverableError('fatal')
    case 'snooze': return job.snooze(200)
    case 'limit': return follow(job, 'limit', done, ground)
    case 'unfit': throw unfit
    case 'throw nothing': throw undefined
    case 'throw': throw new Error('at once')
    case 'slow': return ground.sleep(act.ms).then(() => follow(job, act.end, done, ground))
    case 'report': return report(job, ground, done)
    case 'block':
      ground.freeze(act.ms)
      return ground.sleep(0).then(() => done)
    case 'crash':
      ground.crash()
      return new Promise(() => undefined)
    case 'hang': case 'deaf': return follow(job, await told(job, act.act, ground), done, ground)
  }
}

async function report(job: Job<Input>, { sleep }: Ground, done: string): Promise<string> {
  // The last one comes so late that only the end of the job can carry it.
  for (const current of [1, 2, 3]) {
    await sleep((3 - current) * 60)
    job.progress({ current, total: 3 })
    job.log(`step ${current}`)
  }
  job.throwIfCancelled()
  return done
}

function told(job: Job<Input>, act: 'hang' | 'deaf', { held }: Ground): Promise<Word> {
  return new Promise((resolve, reject) => {
    const each: Held = {
      id: job.id, queue: job.queue, tell: (word) => { held.delete(each); resolve(word) },
    }
    held.add(each)
    if (act === 'deaf') return
    const abort = (): void => {
      held.delete(each)
      reject(job.signal.reason as Error)
    }
    if (job.signal.aborted) abort()
    else job.signal.addEventListener('abort', abort)
  })
}

function follow(job: Job<Input>, word: Word, done: string, { limited }: Ground): string {
  if (word === 'fail') throw new Error('told to fail')
  if (word === 'snooze') job.snooze(100)
  if (word === 'limit' && !limited.has(job.id)) {
    limited.add(job.id)
    job.limitReached(150)
  }
  return done
}
