import { signal } from '@preact/signals'
import type { WireTransition } from '../../../gateway/protocol.ts'
import { after } from '../../page-env.ts'
import { client, heard, lost } from '../../shell/session.ts'

/** Kept transitions of one job; of progress only the newest matter. */
const keptLines = 2000
const gatherMs = 100

/** The transitions of one job: what the log still has, and what comes. */
export class JobHistory {
  readonly log = signal<readonly WireTransition[]>([])
  /** Older transitions were left out. */
  readonly isCut = signal(false)
  #fresh: WireTransition[] = []
  #planned = false
  readonly #queue: string
  readonly #id: string
  readonly #onNews: () => void

  constructor(queue: string, id: string, onNews: () => void) {
    this.#queue = queue
    this.#id = id
    this.#onNews = onNews
  }

  /** Listens until told to stop, and goes on where it was when it is started again. */
  start(): () => void {
    const stream = client.observe({
      queue: this.#queue, job: this.#id, from: 'start', onGap: () => { this.#onNews() },
    })
    const transitions = stream.subscribe({
      next: (transition) => { this.#take(transition) },
      error: () => { this.#onNews() },
    })
    const connection = client.connection$.subscribe({
      next: (is) => {
        if (is === 'lost') lost()
        else if (is === 'open') heard()
      },
    })
    return () => {
      transitions.unsubscribe()
      connection.unsubscribe()
    }
  }

  #take(transition: WireTransition): void {
    this.#fresh.push(transition)
    if (this.#planned) return
    this.#planned = true
    after(gatherMs, () => {
      this.#planned = false
      const fresh = this.#fresh.splice(0)
      const last = this.log.value.at(-1)?.rev ?? 0
      const all = [...this.log.value, ...fresh.filter(({ rev }) => rev > last)]
      if (all.length > keptLines) this.isCut.value = true
      this.log.value = all.slice(-keptLines)
      this.#onNews()
    })
  }
}
