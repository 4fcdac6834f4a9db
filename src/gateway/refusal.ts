import { TroupeError } from '../errors.ts'
import type { Json } from '../../machines/vocabulary.ts'
import type { GatewayCode, WireCode, WireError } from './protocol.ts'

type Details = { readonly [name: string]: Json }

/** What the gateway itself does not do for somebody, and why. */
export class Refusal extends Error {
  readonly code: GatewayCode
  readonly details: Details
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: GatewayCode, message: string, details: Details = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.code = code
    this.details = details
    this.headers = headers
  }
}

/** The HTTP status of each code that has one other than 400. */
const statuses: { readonly [C in WireCode]?: number } = {
  'unauthorized': 401,
  'forbidden': 403,
  'read-only': 403,
  'wrong-host': 403,
  'wrong-origin': 403,
  'unknown-route': 404,
  'unknown-queue': 404,
  'unknown-job': 404,
  'unknown-schedule': 404,
  'wrong-method': 405,
  'slow-body': 408,
  'queue-exists': 409,
  'id-in-use': 409,
  'body-too-large': 413,
  'too-large': 413,
  'wrong-content-type': 415,
  'queue-full': 429,
  'too-many-requests': 429,
  'too-many-streams': 429,
  'headers-too-large': 431,
  'internal': 500,
  'missing-package': 501,
  'store-failed': 503,
  'store-locked': 503,
  'store-damaged': 503,
  'stopped': 503,
}

function statusOf(code: WireCode): number {
  return statuses[code] ?? 400
}

export interface ErrorAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: WireError
  /** Something that whoever runs the process has to know of. */
  readonly isFault: boolean
}

/** What is said of an error that only whoever runs the process has to know the details of. */
const guarded: { readonly [C in WireCode]?: string } = {
  'internal': 'the gateway failed; its log says why',
  'store-failed': 'the store could not read or write; the log of the gateway says why',
  'store-locked': 'the store is held by another process',
  'store-damaged': 'the store is damaged; the log of the gateway says where',
}

/** The answer to anything that was thrown: never with a stack, and nothing of what is unknown. */
export function toErrorAnswer(thrown: unknown): ErrorAnswer {
  const known = thrown instanceof Refusal || thrown instanceof TroupeError
  const code = known ? thrown.code : 'internal'
  const status = statusOf(code)
  const message = guarded[code]
  return {
    status,
    headers: thrown instanceof Refusal ? thrown.headers : {},
    body: {
      error: {
        code,
        message: message ?? (known ? thrown.message : ''),
        details: message === undefined && known ? toDetails(thrown.details) : {},
      },
    },
    isFault: status >= 500 && code !== 'stopped',
  }
}

/** Details are JSON but for errors of jobs, whose fields are. */
function toDetails(details: object): Details {
  return JSON.parse(JSON.stringify(details)) as Details
}
