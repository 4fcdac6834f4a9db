/** A count keyframe: what a log has told up to a place in it, from its oldest entry on. */
export interface Mark {
  readonly seq: number
  readonly at: number
  readonly counts: readonly number[]
  readonly edges: readonly number[]
}

/** Keyframes of one queue: of more, every second one goes. */
const marksLimit = 5000

/** The count keyframes of one queue, the oldest first. */
export class Marks {
  #marks: Mark[] = []

  get last(): Mark | undefined {
    return this.#marks.at(-1)
  }

  add(mark: Mark): void {
    this.#marks.push(mark)
    if (this.#marks.length > marksLimit) this.#marks = this.#marks.filter((_, n) => n % 2 === 1)
  }

  /** The first one from this place in the log on. */
  from(seq: number): Mark | undefined {
    return this.#marks.find((mark) => mark.seq >= seq)
  }

  /** The first one behind that moment: nothing of that moment lies behind it in the log. */
  after(time: number): Mark | undefined {
    return this.#marks.find((mark) => mark.at > time)
  }

  /** The log now begins behind `head`. */
  beginWith(head: Mark): void {
    this.#marks = [head, ...this.#marks.filter(({ seq }) => seq > head.seq)]
  }

  /** The last one of that moment or before. */
  before(time: number): Mark | null {
    let low = 0
    let high = this.#marks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#marks[middle]?.at ?? 0) <= time) low = middle + 1
      else high = middle
    }
    return this.#marks[low - 1] ?? null
  }
}
