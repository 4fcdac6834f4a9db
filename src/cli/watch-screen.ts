import { isLive } from '../records/job.ts'
import type { Transition } from '../records/transition.ts'
import { systemEnv } from '../env.ts'
import type { Timer } from '../env.ts'
import type { Fleet, JobLine } from './fleet.ts'
import { paintState, plain, progressBar } from './rendering.ts'
import type { Terminal } from './terminal.ts'

/** Between two drawings. */
const drawMs = 200
const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'

type LiveJob = Pick<JobLine, 'id' | 'queue' | 'task' | 'state' | 'progress'>

/** What runs now, a bar for each job, drawn in place. */
export class WatchScreen {
  readonly #terminal: Terminal
  readonly #fleet: Fleet
  readonly #only: string | null
  readonly #fail: (error: unknown) => void
  readonly #live = new Map<string, LiveJob>()
  #timer: Timer | null = null
  #drawing: Promise<void> = Promise.resolve()
  #drawnLines = 0

  /** `only`: this queue; null: all. `fail` hears what a drawing threw. */
  constructor(
    terminal: Terminal, fleet: Fleet, only: string | null, fail: (error: unknown) => void,
  ) {
    this.#terminal = terminal
    this.#fleet = fleet
    this.#only = only
    this.#fail = fail
  }

  async begin(): Promise<void> {
    await this.#terminal.write(hideCursor)
    for (const name of await this.#names()) {
      const state = ['running', 'cancelling'] as const
      const { jobs } = await this.#fleet.queue(name).list({ state, limit: 100 })
      // What came meanwhile is newer than the list.
      for (const job of jobs) if (!this.#live.has(job.id)) this.#live.set(job.id, job)
    }
    await this.#draw()
  }

  next({ jobId, queue, task, to, progress }: Transition): void {
    if (to !== null && isLive({ state: to })) {
      this.#live.set(jobId, { id: jobId, queue, task, state: to, progress })
    } else this.#live.delete(jobId)
    this.#timer ??= systemEnv.after(drawMs, () => {
      this.#timer = null
      this.#drawing = this.#drawing.then(() => this.#draw()).catch(this.#fail)
    })
  }

  async end(): Promise<void> {
    this.#timer?.cancel()
    await this.#drawing
    await this.#draw().catch(() => undefined) // the target may be gone already
    await this.#terminal.write(showCursor)
  }

  async #names(): Promise<readonly string[]> {
    return this.#only === null ? this.#fleet.names() : [this.#only]
  }

  async #draw(): Promise<void> {
    const { paint, columns, rows } = this.#terminal
    const heads: string[] = []
    for (const name of await this.#names()) {
      const { queued, running, cancelling, completed, failed } =
        await this.#fleet.queue(name).counts()
      const text = `queued ${queued}  running ${running + cancelling}  ` +
        `completed ${completed}  failed ${failed}`
      heads.push(`${paint('bold', plain(name))}  ${text}`)
    }
    const room = Math.max(1, rows - heads.length - 2)
    const jobs = [...this.#live.values()]
    const lines = jobs.slice(0, room).map(({ id, task, state, progress }) => {
      const text = `  ${plain(task)} ${plain(id)}  ${progressBar(progress)}`.slice(0, columns - 12)
      return `${text} ${paintState(paint, state)}`
    })
    const more = jobs.length > room ? [`  and ${jobs.length - room} more`] : []
    const picture = [...heads, ...lines, ...more]
    const up = this.#drawnLines > 0 ? `\u001b[${this.#drawnLines}A` : ''
    await this.#terminal.write(`${up}\r\u001b[0J${picture.join('\n')}\n`)
    this.#drawnLines = picture.length
  }
}
