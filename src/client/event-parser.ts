import { TroupeErrorOf } from '../errors.ts'
import type { TroupeError } from '../errors.ts'

/** One event of a `text/event-stream`. `id` stays that of the last event that had one. */
export interface ServerEvent {
  readonly id: string
  readonly name: string
  readonly data: string
}

/** An event longer than this is an error: it must not grow the memory of who listens. */
const maxEventLength = 8 * 1024 * 1024

/** Turns the chunks of a stream into its events, by the rules of the HTML standard. */
export class EventParser {
  readonly #decoder = new TextDecoder()
  readonly #take: (event: ServerEvent) => void
  readonly #limit: number
  /** The part of a line that has come. */
  #rest = ''
  /** The last chunk ended with CR: a LF at the beginning of the next belongs to it. */
  #skipLineFeed = false
  #data: string[] = []
  #length = 0
  #name = ''
  #id = ''
  #lastId = ''

  constructor(take: (event: ServerEvent) => void, limit = maxEventLength) {
    this.#take = take
    this.#limit = limit
  }

  /** The id of the last event that is whole, one without data included; empty when none had one. */
  get lastId(): string {
    return this.#lastId
  }

  /** Throws `too-large` when an event is too long. */
  push(chunk: Uint8Array): void {
    let text = this.#decoder.decode(chunk, { stream: true })
    if (this.#skipLineFeed && text !== '') {
      this.#skipLineFeed = false
      if (text.startsWith('\n')) text = text.slice(1)
    }
    const whole = this.#rest + text
    const lineEnd = /\r\n?|\n/g
    lineEnd.lastIndex = this.#rest.length
    let start = 0
    for (let end = lineEnd.exec(whole); end; end = lineEnd.exec(whole)) {
      const line = whole.slice(start, end.index)
      start = lineEnd.lastIndex
      this.#skipLineFeed = end[0] === '\r' && start === whole.length
      this.#line(line)
    }
    this.#rest = whole.slice(start)
    if (this.#rest.length + this.#length > this.#limit) throw tooLong(this.#limit)
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch()
      return
    }
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const from = line[colon + 1] === ' ' ? colon + 2 : colon + 1
    const value = colon === -1 ? '' : line.slice(from)
    if (field === 'data') {
      this.#length += value.length
      if (this.#length > this.#limit) throw tooLong(this.#limit)
      this.#data.push(value)
    } else if (field === 'event') {
      this.#name = value
    } else if (field === 'id' && !value.includes('\0')) {
      this.#id = value
    }
  }

  #dispatch(): void {
    const data = this.#data
    const name = this.#name
    this.#data = []
    this.#length = 0
    this.#name = ''
    if (data.length > 0) {
      this.#take({ id: this.#id, name: name || 'message', data: data.join('\n') })
    }
    this.#lastId = this.#id
  }
}

function tooLong(limit: number): TroupeError {
  return new TroupeErrorOf(
    'too-large', `an event of the stream has more than ${limit} characters`,
    { path: 'event', bytes: limit + 1, limit },
  )
}
