/**
 * One answer for many who ask at once, and never one that was begun before somebody asked: who
 * comes while it is made waits for the next.
 */
export class Fresh<T> {
  readonly #make: () => Promise<T>
  #present: Promise<T> | null = null
  #next: Promise<T> | null = null

  constructor(make: () => Promise<T>) {
    this.#make = make
  }

  get(): Promise<T> {
    if (!this.#present) return this.#begin()
    const begin = (): Promise<T> => {
      this.#next = null
      return this.#begin()
    }
    this.#next ??= this.#present.then(begin, begin)
    return this.#next
  }

  #begin(): Promise<T> {
    const present = this.#make().finally(() => {
      if (this.#present === present) this.#present = null
    })
    this.#present = present
    return present
  }
}
