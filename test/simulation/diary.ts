import type { Command } from './plan.ts'

/** What was asked of the product, and what it answered. Times are true ones. */
export interface Call {
  readonly command: Command
  readonly node: string
  readonly asked: number
  /** Infinity: it never was, or with an error, and may take effect at any time. */
  answered: number
  answer: unknown
  /** The code of its error. */
  refusal: string | null
  /** It was tried again after an error that left open what had happened. */
  again: boolean
  /** A lying disk may have taken back what it did. */
  forgotten: boolean
}

/** All that the users of a simulation have asked for, in that order. */
export class Diary {
  readonly calls: Call[] = []
  readonly #now: () => number
  readonly #fault: (what: string, error: unknown) => void

  constructor(now: () => number, fault: (what: string, error: unknown) => void) {
    this.#now = now
    this.#fault = fault
  }

  ask(command: Command, node: string): Call {
    const call = {
      command, node, asked: this.#now(), answered: Infinity, answer: null, refusal: null,
      again: false, forgotten: false,
    }
    this.calls.push(call)
    return call
  }

  answer(call: Call, answer: unknown): void {
    call.answer = answer
    call.answered = this.#now()
  }

  fault(what: string, error: unknown): void {
    this.#fault(what, error)
  }

  /** What was answered so far is evidence no more. */
  forget(): void {
    for (const call of this.calls) call.forgotten = true
  }
}

/** Calls of one kind. */
export type CallOf<Type extends Command['type']> = Call & {
  readonly command: Taking<Command, Type> & { readonly type: Type }
}

type Taking<Each extends Command, Type> =
  Each extends unknown ? [Each['type'] & Type] extends [never] ? never : Each : never

export function callsOf<Type extends Command['type']>(
  calls: readonly Call[], ...types: readonly Type[]
): CallOf<Type>[] {
  return calls.filter((call): call is CallOf<Type> =>
    (types as readonly string[]).includes(call.command.type))
}

export interface Span {
  readonly from: number
  readonly until: number
}

/**
 * From each answer of those that close to the call of the next one that opens. One that opens and
 * is on its way when the other closes may come behind it.
 */
export function spansBetween(closing: readonly Call[], opening: readonly Call[]): Span[] {
  return closing.flatMap((close): Span[] => {
    const { asked, answered, forgotten } = close
    const sure = !forgotten && answered < Infinity && opening.every((open) =>
      open.answered <= asked || open.asked >= answered)
    if (!sure) return []
    const next = opening.filter((open) => open.asked >= answered).map((open) => open.asked)
    return [{ from: answered, until: Math.min(Infinity, ...next) }]
  })
}
