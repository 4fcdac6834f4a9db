import { createTroupe, memoryStore, UnrecoverableError } from 'troupe'
import type { Job, Queue, Troupe } from 'troupe'
import { Life } from '../../../src/testing/mortal.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'
import { JournalBook } from '../../../src/testing/history/journal-book.ts'
import type { History, JournalLine } from '../../../src/testing/history/journal.ts'
import { readLog, readRecords } from '../../../src/testing/history/reading.ts'

type Handle = (job: Job<string>) => unknown
type Tasks = { readonly work: Handle }

const concurrency = 2
const limits = { rate: { max: 4, perMs: 100, perPartition: false }, perPartition: 1 }

/** What the input asks for. */
async function work(job: Job<string>, env: VirtualEnv): Promise<string> {
  const { input, attempt, id, signal } = job
  job.progress({ current: attempt, total: 2 })
  if (input === 'bad') throw new UnrecoverableError('for good')
  if (input === 'flaky' && attempt === 1) throw new Error('again')
  if (input === 'sleepy' && attempt === 1) job.snooze(50)
  await new Promise<void>((done) => {
    signal.addEventListener('abort', () => { done() })
    if (input !== 'until told') env.after(20, done)
  })
  job.throwIfCancelled()
  return `${id} is done`
}

/** Two processes on one store; the first one is killed while it works. */
class Scene {
  readonly env = new VirtualEnv({ seed: 7 })
  readonly store = memoryStore()
  readonly books: JournalBook[] = []
  readonly client = new JournalBook('client')

  async open(worker: string, life: Life): Promise<{ troupe: Troupe; queue: Queue<Tasks> }> {
    const env = life.env(this.env, this.env.disk)
    const troupe = await createTroupe({ store: life.store(this.store), env, worker })
    const book = new JournalBook(worker, worker, () => env.now())
    this.books.push(book)
    const queue = troupe.queue('q', {
      concurrency, concurrencyPerPartition: limits.perPartition,
      rateLimit: { max: limits.rate.max, per: limits.rate.perMs },
      defaults: { retries: 1, backoff: 10 },
      tasks: { work: book.around((job: Job<string>) => work(job, this.env)) },
    })
    await troupe.start()
    return { troupe, queue }
  }

  async drive<T>(promise: Promise<T>): Promise<T> {
    let done = false
    void promise.finally(() => { done = true }).catch(() => undefined)
    for (let spent = 0; !done && spent < 120_000; spent += 100) await this.env.advance(100)
    return promise
  }
}

async function add(scene: Scene, queue: Queue<Tasks>): Promise<void> {
  const jobs: [id: string, input: string, options?: object][] = [
    ['a', 'ok'], ['b', 'flaky', { partition: 'red' }], ['c', 'bad', { partition: 'blue' }],
    ['d', 'sleepy', { partition: 'red' }], ['e', 'ok', { dependsOn: ['a', 'b'] }],
    ['f', 'ok', { dependsOn: ['c'] }], ['g', 'ok', { dependsOn: ['c'], onParentFailure: 'run' }],
    ['h', 'ok', { delay: '1h' }], ['i', 'until told', { partition: 'green' }],
    ...Array.from({ length: 6 }, (_, n): [string, string, object] =>
      [`j${n}`, 'ok', { partition: `${n % 3}` }]),
  ]
  for (const [id, input, options] of jobs) {
    const handle = await queue.add('work', input, { id, ...options })
    scene.client.added(id)
    const seen = (state: 'completed' | 'failed' | 'cancelled', result: string | null): void => {
      scene.client.write({ what: 'seen', id, state, result })
    }
    handle.result().then(
      (result) => { seen('completed', String(result)) },
      ({ code }: { code: string }) => {
        seen(code === 'job-failed' ? 'failed' : 'cancelled', null)
      },
    )
  }
}

/** A history with retries, a snooze, children, cancels and a killed process in it; all is well. */
export async function validHistory(): Promise<History> {
  const scene = new Scene()
  const first = new Life()
  const { queue } = await scene.open('w1', first)
  const { queue: other, troupe } = await scene.open('w2', new Life())
  await add(scene, other)
  await scene.env.advance(5)
  // Some of its jobs run, and nobody hears of them again before their leases have lapsed.
  if ((await queue.counts()).running === 0) throw new Error('nothing was running')
  first.kill()
  scene.books[0]?.kill()
  const cancels = async (id: string): Promise<void> => {
    scene.client.cancel(id, await other.cancel(id, 'not needed'))
  }
  await scene.drive(Promise.all([cancels('h'), untilRunning(other, 'i').then(() => cancels('i'))]))
  await scene.drive(other.job('c').result().catch(() => undefined))
  if (await other.retry('c') === 'retried') scene.client.write({ what: 'retried', id: 'c' })
  await scene.env.advance(60_000)
  const told = [await readLog(scene.store, 'q')]
  const records = await readRecords(scene.store, 'q')
  await scene.drive(troupe.stop())
  const journals = [...scene.books, scene.client].map(({ journal }) => journal)
  const log = told.flat().map((entry) => ({ ...entry, cursor: '' }))
  return { log, records, journals, told, bounds: { concurrency, limits } }
}

function untilRunning(queue: Queue<Tasks>, id: string): Promise<void> {
  return new Promise((done) => {
    queue.job(id).state$.subscribe((state) => { if (state === 'running') done() })
  })
}

/** The history with other lines in the journals. */
export function withLines(
  history: History, change: (line: JournalLine) => readonly JournalLine[],
): History {
  const journals = history.journals.map((journal) => ({
    ...journal, lines: journal.lines.flatMap(change),
  }))
  return { ...history, journals }
}
