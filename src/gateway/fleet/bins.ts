/** Bins of one queue: when there are more, each is made as wide as two. */
const binsLimit = 20_000
const narrowestMs = 1000

/** How much was completed and failed when, in bins of a second, or wider for a long log. */
export class Bins {
  #widthMs = narrowestMs
  #bins = new Map<number, readonly [completed: number, failed: number]>()

  add(at: number, completed: number, failed: number): void {
    if (completed + failed === 0) return
    const bin = Math.floor(at / this.#widthMs)
    const [done, lost] = this.#bins.get(bin) ?? [0, 0]
    this.#bins.set(bin, [done + completed, lost + failed])
    if (this.#bins.size > binsLimit) this.#widen()
  }

  /** Adds to `into` what lies in its spans of `stepMs` from `from` on. */
  sum(from: number, stepMs: number, into: readonly { completed: number; failed: number }[]): void {
    const end = from + stepMs * into.length
    for (const [bin, [completed, failed]] of this.#bins) {
      const start = bin * this.#widthMs
      if (start + this.#widthMs <= from || start >= end) continue
      // A bin that is wider than a span is shown where its middle is.
      const middle = Math.min(Math.max(start + this.#widthMs / 2, from), end - 1)
      const span = into[Math.floor((middle - from) / stepMs)]
      if (!span) continue
      span.completed += completed
      span.failed += failed
    }
  }

  /** What lies before that moment is not kept any more. */
  forgetBefore(time: number): void {
    for (const bin of this.#bins.keys()) {
      if ((bin + 1) * this.#widthMs > time) return
      this.#bins.delete(bin)
    }
  }

  #widen(): void {
    const old = this.#bins
    this.#widthMs *= 2
    this.#bins = new Map()
    for (const [bin, [completed, failed]] of old) {
      const wide = Math.floor(bin / 2)
      const [done, lost] = this.#bins.get(wide) ?? [0, 0]
      this.#bins.set(wide, [done + completed, lost + failed])
    }
  }
}
