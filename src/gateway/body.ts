import { Refusal } from './refusal.ts'

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Only this content type: a page of another origin cannot send it without being allowed to. */
export function checkContentType(headers: Headers): void {
  const type = headers.get('content-type') ?? ''
  const encoding = headers.get('content-encoding') ?? 'identity'
  if (/^application\/json\s*(?:;\s*charset="?utf-8"?\s*)?$/i.test(type) &&
      encoding === 'identity') return
  throw new Refusal(
    'wrong-content-type', 'a body must be application/json, in UTF-8 and not compressed',
    { contentType: type.slice(0, 200) },
  )
}

/** The object in a body. */
export function parseBody(bytes: Uint8Array, maxDepth: number): Readonly<Record<string, unknown>> {
  const text = decode(bytes)
  if (isTooDeep(text, maxDepth)) {
    throw new Refusal('invalid-body', `the body is more than ${maxDepth} levels deep`)
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Refusal('invalid-body', 'the body is no JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal('invalid-body', 'the body must be a JSON object')
  }
  return value as Readonly<Record<string, unknown>>
}

function decode(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new Refusal('invalid-body', 'the body is not UTF-8')
  }
}

/** Looked at before anything is built out of it. */
function isTooDeep(text: string, maxDepth: number): boolean {
  let depth = 0
  let inText = false
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index)
    if (inText) {
      if (code === 0x5c) index += 1
      else if (code === 0x22) inText = false
    } else if (code === 0x22) inText = true
    else if (code === 0x7b || code === 0x5b) {
      depth += 1
      if (depth > maxDepth) return true
    } else if (code === 0x7d || code === 0x5d) depth -= 1
  }
  return false
}

/** Refuses fields that nothing knows. */
export function checkFields(
  body: Readonly<Record<string, unknown>>, known: readonly string[],
): void {
  const unknown = Object.keys(body).find((name) => !known.includes(name))
  if (unknown === undefined) return
  const list = known.length === 0 ? 'none' : known.join(', ')
  throw new Refusal(
    'invalid-body', `${unknown.slice(0, 100)} is no field of this body; known: ${list}`,
    { path: unknown.slice(0, 100) },
  )
}
