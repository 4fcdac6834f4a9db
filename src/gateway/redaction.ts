import type { JobError, Json } from '../../machines/vocabulary.ts'

/**
 * Changes a value on its way out. `path` is that of a property, such as `input.customer.email` or
 * `result.rows[3].iban`; the answer takes the value's place. Called for each property of what a
 * job carries, after the default redaction.
 */
export type Redact = (path: string, value: Json) => Json

/** What takes the place of a secret. */
const redacted = '[redacted]'

const secretKey = new RegExp([
  'passw(?:or)?d', 'passphrase', 'passcode', 'secret', 'authorization', 'cookie', 'credential',
  'api[-_. ]?key', 'private[-_. ]?key', 'access[-_. ]?key', 'session[-_. ]?id',
].join('|'), 'i')
const secretWord = /(?:^|[-_. ])(?:keys?|pwd|pass|auth|jwt|otp|pin|cvv|cvc)$/i
/** `apiKey` and `signingKey`, and not `monkey`. */
const camelKey = /[a-z\d]Keys?$/
const tokenKey = /token/i

/** Whether a property of this name holds what nobody outside should see. */
function isSecret(key: string, value: Json): boolean {
  if (value === null || typeof value === 'boolean') return false
  if (secretKey.test(key) || camelKey.test(key)) return true
  // Counts of tokens are figures; a token is text.
  if (tokenKey.test(key)) return typeof value !== 'number'
  return secretWord.test(key)
}

const names = 'passw(?:or)?d|passwd|pwd|passphrase|secret|token|api[-_ ]?key|access[-_ ]?key|' +
  'private[-_ ]?key|authorization|cookie|credentials?|session[-_]?id'

/** Every repetition is bounded or cannot be tried again: a long text costs its length. */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/\b(Bearer|Basic|Digest|Negotiate)[ \t]+[\w.~+/=-]{4,}/gi, `$1 ${redacted}`],
  [/\beyJ[\w-]{5,4096}\.[\w-]{5,4096}(?:\.[\w-]{0,4096})?/g, redacted],
  [/\b([a-z][a-z\d+.-]{0,19}:\/\/[^\s/:@]{0,128}):[^\s/@]{1,256}@/gi, `$1:${redacted}@`],
  [
    new RegExp(`((?:${names})["']?\\s{0,8}[=:]\\s{0,8})("[^"]{0,4096}"|'[^']{0,4096}'|` +
      '(?!\\[redacted\\]|(?:Bearer|Basic|Digest|Negotiate) )[^\\s&,;"\'})]{1,4096})', 'gi'),
    `$1${redacted}`,
  ],
]

/** A text without what looks like a secret: bearer tokens, `password=…`, `https://user:…@host`. */
export function redactText(text: string): string {
  let clean = text
  for (const [pattern, replacement] of patterns) clean = clean.replace(pattern, replacement)
  return clean
}

/** Takes out of what leaves the process what nobody outside should see. */
export class Redactor {
  readonly #hook: Redact | null
  readonly #stacks: boolean
  readonly #report: (error: unknown) => void

  constructor(hook: Redact | null, stacks: boolean, report: (error: unknown) => void) {
    this.#hook = hook
    this.#stacks = stacks
    this.#report = report
  }

  /** `path` is how the hook is told of the value. */
  json(value: Json, path: string): Json {
    return this.#value(value, path)
  }

  text(text: string, path: string): string {
    const clean = this.#hooked(path, redactText(text))
    return typeof clean === 'string' ? clean : redacted
  }

  /** An error of a job; without stacks, if these were not asked for. */
  error(error: JobError | null, path: string): JobError | null {
    if (error === null) return null
    const { name, message, code, stack, cause, truncated } = error
    const clean = cause && this.error(cause, `${path}.cause`)
    return {
      name,
      message: this.text(message, `${path}.message`),
      ...(code === undefined ? {} : { code }),
      ...(stack === undefined || !this.#stacks
        ? {} : { stack: this.text(stack, `${path}.stack`) }),
      ...(clean ? { cause: clean } : {}),
      ...(truncated === undefined ? {} : { truncated }),
    }
  }

  #value(value: Json, path: string): Json {
    if (typeof value === 'string') return this.#hooked(path, redactText(value))
    if (typeof value !== 'object' || value === null) return this.#hooked(path, value)
    const kept = this.#hook ? this.#hooked(path, value) : value
    if (kept !== value) return kept
    return Array.isArray(value)
      ? (value as readonly Json[]).map((item, index) => this.#value(item, `${path}[${index}]`))
      : this.#object(value as { readonly [key: string]: Json }, path)
  }

  #object(value: { readonly [key: string]: Json }, path: string): Json {
    // Entries and not assignments: a key may be `__proto__`.
    return Object.fromEntries(Object.entries(value).map(([key, item]) => {
      const inner = `${path}.${key}`
      return [key, isSecret(key, item) ? this.#hooked(inner, redacted) : this.#value(item, inner)]
    }))
  }

  #hooked(path: string, value: Json): Json {
    if (!this.#hook) return value
    try {
      const answer = this.#hook(path, value)
      if (answer === value) return value
      // Through JSON: what is no JSON must not leave, and an answer is not looked at again.
      return JSON.parse(JSON.stringify(answer) ?? 'null') as Json
    } catch (error) {
      this.#report(error)
      return redacted
    }
  }
}
