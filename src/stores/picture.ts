import type { JobRecord } from '../records/job.ts'
import type { Row } from './row.ts'

/** A row as a file holds it. */
export interface StoredRow {
  readonly order: number
  readonly record: JobRecord
}

/**
 * All rows as they were at one moment, read bit by bit while they go on changing. Taking it costs
 * next to nothing however many there are: who changes a row afterwards lets it keep the old one.
 */
export class Picture implements Iterable<StoredRow> {
  readonly #lists: readonly (readonly Row[])[]
  readonly #newest: number
  readonly #before = new Map<Row, JobRecord>()

  /** `newest` is the highest insert number that was given. */
  constructor(lists: readonly (readonly Row[])[], newest: number) {
    this.#lists = lists
    this.#newest = newest
  }

  /** To be called before `row` changes. */
  keep(row: Row): void {
    if (row.order <= this.#newest && !this.#before.has(row)) this.#before.set(row, row.record)
  }

  * [Symbol.iterator](): Generator<StoredRow> {
    for (const rows of this.#lists) {
      for (const row of rows) {
        const record = this.#before.get(row) ?? (row.gone ? null : row.record)
        if (record) yield { order: row.order, record }
      }
    }
  }
}
