import type { Env } from '../env.ts'
import type { Store } from '../stores/store.ts'
import type { JobRun } from './job-run.ts'
import type { Report } from './reports.ts'

/** Stores what the handlers reported in one turn of the event loop in one write. */
export class ReportWriter {
  readonly #env: Env
  readonly #store: Pick<Store, 'progress'>
  readonly #worker: string
  #waiting: { readonly run: JobRun; readonly report: Report }[] = []

  constructor(env: Env, store: Pick<Store, 'progress'>, worker: string) {
    this.#env = env
    this.#store = store
    this.#worker = worker
  }

  add(run: JobRun, report: Report): void {
    this.#waiting.push({ run, report })
    if (this.#waiting.length === 1) this.#env.soon(() => { this.#flush() })
  }

  #flush(): void {
    // The commit that ends an attempt carries its latest report anyway.
    const group = this.#waiting.filter(({ run }) => run.isReporting)
    this.#waiting = []
    if (group.length === 0) return
    const updates = group.map(({ run, report }) => ({
      id: run.record.id, fence: run.fence, by: this.#worker, ...report,
    }))
    this.#store.progress(updates).catch(() => {
      for (const { run } of group) run.reportMissed()
    })
  }
}
