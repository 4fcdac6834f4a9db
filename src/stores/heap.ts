/**
 * A binary heap whose items know their own position, so that any item leaves in O(log n).
 * `slot` names the property of the item that holds the position; -1 means: not in the heap.
 */
export class Heap<S extends string, T extends { [K in S]: number }> {
  readonly #items: T[] = []
  readonly #slot: S
  readonly #before: (a: T, b: T) => boolean

  constructor(slot: S, before: (a: T, b: T) => boolean) {
    this.#slot = slot
    this.#before = before
  }

  get size(): number {
    return this.#items.length
  }

  /** The first item, which stays. */
  peek(): T | undefined {
    return this.#items[0]
  }

  push(item: T): void {
    this.#items.push(item)
    this.#rise(this.#items.length - 1, item)
  }

  /** Takes an item out; nothing happens when it is not in a heap. */
  remove(item: T): void {
    const index: number = item[this.#slot]
    if (index < 0) return
    this.#setSlot(item, -1)
    const last = this.#items.pop()
    if (last === undefined || last === item) return
    if (this.#rise(index, last) === index) this.#sink(index, last)
  }

  #setSlot(item: T, index: number): void {
    (item as { [K in S]: number })[this.#slot] = index
  }

  #put(index: number, item: T): void {
    this.#items[index] = item
    this.#setSlot(item, index)
  }

  #rise(start: number, item: T): number {
    let index = start
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = this.#items[above] as T
      if (!this.#before(item, parent)) break
      this.#put(index, parent)
      index = above
    }
    this.#put(index, item)
    return index
  }

  #sink(start: number, item: T): void {
    const size = this.#items.length
    let index = start
    for (;;) {
      let below = 2 * index + 1
      if (below >= size) break
      const right = this.#items[below + 1]
      if (right !== undefined && this.#before(right, this.#items[below] as T)) below += 1
      const child = this.#items[below] as T
      if (!this.#before(child, item)) break
      this.#put(index, child)
      index = below
    }
    this.#put(index, item)
  }
}
