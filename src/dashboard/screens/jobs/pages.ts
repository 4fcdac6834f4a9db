import { batch, signal } from '@preact/signals'
import type { ListOptions } from '../../../orchestrator/filter.ts'
import { toError } from '../../shell/session.ts'
import { orders } from './filter.ts'
import type { OrderName } from './filter.ts'
import { findPage, pageSize, topOf } from './merging.ts'
import type { Found, PageStop, Position } from './merging.ts'
import { Places } from './places.ts'
import { idsOf, renewed, rowKey, toSlot } from './slot.ts'
import type { Row, Slot } from './slot.ts'

/** Pages that are kept in the page; a million jobs must not be. */
const keptPages = 20
/** Rows that there is room for: browsers draw no box that is much taller. */
const roomLimit = 600_000
/** Rows in front of the one that was jumped to: a little way back costs nothing. */
const margin = 40

/**
 * The jobs of one or several queues, in one order: a run of pages that grows at both ends. It
 * begins at the top, or where somebody has jumped to.
 */
export class JobPages {
  readonly slots = signal<readonly Slot[]>([])
  readonly isLoading = signal(false)
  readonly error = signal<Error | null>(null)
  /** A search for text looked so far; it goes on when it is told to. */
  readonly stopped = signal<PageStop>(null)
  /** Jobs that came in front since the list was begun. */
  readonly newer = signal(0)
  /** Rows in front of the run: none from the top on, after a jump an estimate. */
  readonly offset = signal(0)
  /** By how many rows the run was moved so far, because the estimate was put right. */
  readonly shift = signal(0)
  readonly #queues: readonly string[]
  readonly #options: ListOptions
  readonly #by: OrderName
  /** How many jobs each queue has that are listed; null while nobody has counted them. */
  #sizes: ReadonlyMap<string, number> | null = null
  #places: Promise<Places | null> | null = null
  /** The run began with what was added at that time; null: at the top. */
  #edge: number | null = null
  #over = false
  #busy = false
  #wantsMore = false

  constructor(queues: readonly string[], options: ListOptions, by: OrderName) {
    this.#queues = queues
    this.#options = options
    this.#by = options.text === undefined ? by : 'newest'
  }

  /** The place behind the last row of the run. */
  get length(): number {
    return this.offset.value + this.listed
  }

  /** Rows of the run. */
  get listed(): number {
    return this.slots.value.reduce((sum, { length }) => sum + length, 0)
  }

  /** All jobs are here. */
  get isWhole(): boolean {
    return this.#isAtEnd && this.#isAtTop
  }

  /** Rows that there is room for: also those that somebody may jump to. */
  get room(): number {
    if (this.#isAtEnd || !this.#sizes || this.slots.value.length === 0) return this.length
    const least = this.length + (this.#edge === null ? 0 : pageSize)
    return Math.max(Math.min(this.#all, roomLimit), least)
  }

  /** How many jobs there are in front of the run, about. */
  get before(): number {
    if (this.#isAtTop) return 0
    if (this.#isAtEnd) return Math.max(0, this.#all - this.listed)
    return Math.round(this.offset.value / this.room * this.#all)
  }

  get #all(): number {
    return [...this.#sizes?.values() ?? []].reduce((sum, jobs) => sum + jobs, 0)
  }

  /** How many jobs there are: what is far down can then be jumped to. */
  countedAs(sizes: ReadonlyMap<string, number> | null): void {
    this.#sizes = orders[this.#by].sort === 'createdAt' ? sizes : null
  }

  /** The rows from `first` on, and before `end`; null where they are not here. */
  rows(first: number, end: number): readonly (Row | null)[] {
    const begin = this.offset.value
    const found: (Row | null)[] = Array.from(
      { length: Math.max(0, Math.min(begin, end) - first) }, () => null,
    )
    let at = begin
    for (const { length, rows } of this.slots.value) {
      for (let index = Math.max(first, at); index < Math.min(end, at + length); index += 1) {
        found.push(rows?.[index - at] ?? null)
      }
      at += length
    }
    while (found.length < end - first) found.push(null)
    return found
  }

  /** All rows that are here. */
  all(): readonly Row[] {
    return this.slots.value.flatMap(({ rows }) => rows ?? [])
  }

  stop(): void {
    this.#over = true
  }

  /** Asks for what of these rows is not here: what is next to the run, or far away from it. */
  async see(first: number, end: number): Promise<void> {
    const begin = this.offset.value
    const { length } = this
    if (end < begin - pageSize || first > length + pageSize) await this.#jump(first, end)
    else if (first < begin) await this.#less()
    else if (this.rows(first, Math.min(end, length)).includes(null)) {
      await this.refresh(first, end, false)
    } else if (end >= length && this.stopped.value === null) await this.more()
  }

  /** The next page; when something else is asked for, right after it. */
  async more(): Promise<void> {
    if (this.#isAtEnd) return
    this.#wantsMore = this.#busy
    await this.#work(async () => {
      const begin = this.slots.value.at(-1)?.next ?? topOf(this.#queues)
      const found = await this.#find(begin, false)
      this.#put([...this.slots.value, toSlot(begin, found, false)], this.slots.value.length)
      this.stopped.value = found.stopped
    })
  }

  /** Asks again for what is between two rows. `isFree`: nobody minds when rows move. */
  async refresh(first: number, end: number, isFree: boolean): Promise<void> {
    await this.#work(async () => {
      let at = this.offset.value
      for (const [place, slot] of this.slots.value.entries()) {
        const isShown = at < end && at + slot.length >= first
        at += slot.length
        if (!isShown && !(place === 0 && slot.length === 0)) continue
        const found = await this.#find(slot.begin, slot.isBack)
        if (this.#over) return
        if (place === 0 && isFree && this.#edge === null) this.#restart(slot, found)
        else this.#renew(place, found)
      }
    })
  }

  /** From the top, as it is now; what is shown stays until that is here. */
  async again(): Promise<void> {
    this.#busy = false
    await this.#work(() => this.#begin(null, 0))
  }

  get #isAtEnd(): boolean {
    return this.#queues.length === 0 || this.slots.value.at(-1)?.next.size === 0
  }

  get #isAtTop(): boolean {
    const [slot] = this.slots.value
    return this.#edge === null || (slot?.isBack === true && slot.next.size === 0)
  }

  /** Goes to rows that are far away: to about where they are. */
  async #jump(first: number, end: number): Promise<void> {
    await this.#work(async () => {
      const { room } = this
      const start = first - margin
      if (start <= pageSize) {
        await this.#begin(null, 0)
        return
      }
      this.#places ??= Places.of(this.#queues, this.#sizes ?? new Map(), this.#options)
      const places = await this.#places.catch((error: unknown) => {
        this.#places = null
        throw error
      })
      if (!places) return
      const isDown = orders[this.#by].order === 'desc'
      const share = start / room
      if (end + margin < room) {
        await this.#begin(places.timeOf(isDown ? 1 - share : share), start)
        return
      }
      // What is added from now on comes in front of the newest, or behind all there is.
      await this.#begin(isDown ? places.span[0] : places.span[1] + 1, room)
      await this.#grow()
    })
  }

  /** The page in front of the run. */
  async #less(): Promise<void> {
    if (!this.#isAtTop) await this.#work(() => this.#grow())
  }

  async #begin(edge: number | null, offset: number): Promise<void> {
    const begin = topOf(this.#queues)
    const found = await this.#find(begin, false, edge)
    if (this.#over) return
    this.#edge = edge
    batch(() => {
      this.slots.value = [toSlot(begin, found, false)]
      this.offset.value = offset
      this.stopped.value = found.stopped
      if (edge === null) this.newer.value = 0
    })
  }

  async #grow(): Promise<void> {
    const [first] = this.slots.value
    const begin = first?.isBack ? first.next : topOf(this.#queues)
    const found = await this.#find(begin, true)
    if (this.#over) return
    const slot = toSlot(begin, found, true)
    const before = this.offset.value - slot.length
    batch(() => {
      this.#put([slot, ...this.slots.value], 0)
      this.offset.value = this.#isAtTop ? 0 : Math.max(before, pageSize)
      this.shift.value += this.offset.value - before
    })
  }

  async #work(act: () => Promise<void>): Promise<void> {
    if (this.#busy || this.#over) return
    this.#busy = true
    this.isLoading.value = true
    try {
      await act()
      this.error.value = null
    } catch (error) {
      if (!this.#over) this.error.value = toError(error)
    }
    this.#busy = false
    this.isLoading.value = false
    if (this.#wantsMore) await this.more()
  }

  /** What is in front of the edge is asked for in the opposite order. */
  async #find(begin: Position, isBack: boolean, edge = this.#edge): Promise<Found> {
    const { of, order } = orders[this.#by]
    const isDown = (order === 'desc') !== isBack
    const found = await findPage(begin, {
      ...this.#options,
      ...(isBack ? { order: isDown ? 'desc' : 'asc' } : {}),
      ...(edge === null ? {} : { createdAt: isDown ? { to: edge } : { from: edge } }),
    }, { of, sign: isDown ? -1 : 1 })
    return isBack ? { ...found, lines: [...found.lines].reverse() } : found
  }

  #put(slots: readonly Slot[], looked: number): void {
    if (this.#over) return
    this.slots.value = slots.map((slot, place) =>
      (Math.abs(place - looked) > keptPages / 2 && slot.rows ? { ...slot, rows: null } : slot))
  }

  /** The first page as it is now; what comes behind it stays when it fits. */
  #restart(slot: Slot, found: Found): void {
    const fresh = toSlot(slot.begin, found, false)
    const isSame = fresh.length === slot.length && this.slots.value.length === 1
    const keeps = isSame || idsOf(fresh.rows) === idsOf(slot.rows)
    this.#put(keeps ? [fresh, ...this.slots.value.slice(1)] : [fresh], 0)
    this.newer.value = 0
  }

  /** Rows stay where they are: what is new in them shows, what has left is marked. */
  #renew(place: number, found: Found): void {
    const slot = this.slots.value[place]
    if (!slot) return
    const isTop = place === 0 && this.#edge === null && slot.rows !== null
    if (isTop) {
      const known = new Set(slot.rows.map(({ line }) => rowKey(line)))
      this.newer.value = found.lines.findIndex((line) => known.has(rowKey(line)))
    }
    // Pushed off the page by newer ones: nothing is known of them.
    const isFull = isTop && found.next.size > 0 && this.newer.value !== 0
    const fresh = renewed(slot, found, isFull)
    this.#put(this.slots.value.map((each, index) => (index === place ? fresh : each)), place)
  }
}
