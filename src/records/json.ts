import { TroupeErrorOf, show } from '../errors.ts'
import type { Json } from '../../machines/vocabulary.ts'

/** Inputs and results may have this many bytes of UTF-8 JSON, if the queue says nothing else. */
export const defaultSizeLimit = 1024 * 1024
/** Deeper values overflow the stack of some reader sooner or later. */
const maxDepth = 200

/**
 * A frozen copy of `value` that JSON carries unchanged, or an error that names the path of the
 * fault. Properties that are `undefined` are dropped, as `JSON.stringify` does; in arrays they are
 * a fault, because there they would turn into `null`.
 */
export function toJson(value: unknown, path: string, limit: number): Json {
  const walk: Walk = { limit, bytes: 0, root: path, ancestors: new Set() }
  return copy(value, path, walk)
}

/** A copy that its owner may change. */
export function cloneJson(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  if (isList(value)) return value.map(cloneJson)
  const clone: Record<string, Json> = {}
  for (const key of Object.keys(value)) setOwn(clone, key, cloneJson(value[key] as Json))
  return clone
}

interface Walk {
  readonly limit: number
  readonly root: string
  readonly ancestors: Set<object>
  bytes: number
}

function isList(value: Json | object): value is readonly Json[] {
  return Array.isArray(value)
}

/** `target.__proto__ = …` would set the prototype; a JSON key may well have that name. */
function setOwn(target: Record<string, Json>, key: string, value: Json): void {
  if (key !== '__proto__') target[key] = value
  else Object.defineProperty(target, key, {
    value, enumerable: true, writable: true, configurable: true,
  })
}

function copy(value: unknown, path: string, walk: Walk): Json {
  switch (typeof value) {
    case 'string':
      checkText(value, path)
      count(walk, textBytes(value))
      return value
    case 'number':
      if (!Number.isFinite(value)) throw fault(path, `${value} is not a JSON number`)
      count(walk, String(value).length)
      // JSON has no negative zero: a reader would see 0.
      return value === 0 ? 0 : value
    case 'boolean':
      count(walk, value ? 4 : 5)
      return value
    case 'object':
      if (value === null) {
        count(walk, 4)
        return null
      }
      return copyObject(value, path, walk)
    default:
      throw fault(path, `${show(value)} cannot be stored as JSON`)
  }
}

function copyObject(value: object, path: string, walk: Walk): Json {
  if (walk.ancestors.has(value)) throw fault(path, 'the value contains itself')
  if (walk.ancestors.size >= maxDepth) throw fault(path, `more than ${maxDepth} levels deep`)
  walk.ancestors.add(value)
  const result = Array.isArray(value)
    ? copyList(value as readonly unknown[], path, walk)
    : copyRecord(value, path, walk)
  walk.ancestors.delete(value)
  return Object.freeze(result)
}

function copyList(list: readonly unknown[], path: string, walk: Walk): Json[] {
  const result: Json[] = []
  count(walk, 2)
  for (let index = 0; index < list.length; index += 1) {
    const item = list[index]
    if (item === undefined) {
      throw fault(`${path}[${index}]`, 'undefined in an array would become null')
    }
    if (index > 0) count(walk, 1)
    result.push(copy(item, `${path}[${index}]`, walk))
  }
  return result
}

function copyRecord(value: object, path: string, walk: Walk): Record<string, Json> {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype && !isForeignPlain(prototype)) {
    throw fault(path, `${show(value)} cannot be stored as JSON`)
  }
  if (Object.getOwnPropertySymbols(value).length > 0) {
    throw fault(path, 'a property named by a symbol would be lost')
  }
  const result: Record<string, Json> = {}
  let separator = 0
  count(walk, 2)
  for (const key of Object.keys(value)) {
    const item = (value as Record<string, unknown>)[key]
    if (item === undefined) continue
    const itemPath = /^[A-Za-z_$][\w$]*$/.test(key)
      ? `${path}.${key}`
      : `${path}[${JSON.stringify(key)}]`
    checkText(key, itemPath)
    count(walk, textBytes(key) + 1 + separator)
    separator = 1
    setOwn(result, key, copy(item, itemPath, walk))
  }
  return result
}

/** A plain object of another realm (a `vm` context, a test runner's sandbox). */
function isForeignPlain(prototype: unknown): boolean {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'toString')
}

function checkText(text: string, path: string): void {
  if (text.includes('\0')) {
    throw fault(path, 'a NUL character cannot be stored by every store')
  }
  if (!text.isWellFormed()) throw fault(path, 'half of a surrogate pair is no character')
}

function textBytes(text: string): number {
  const escaped = /["\\\u0000-\u001f]/.test(text)
  return escaped ? Buffer.byteLength(JSON.stringify(text)) : Buffer.byteLength(text) + 2
}

function count(walk: Walk, bytes: number): void {
  walk.bytes += bytes
  if (walk.bytes <= walk.limit) return
  throw new TroupeErrorOf(
    'too-large', `${walk.root} is larger than the limit of ${walk.limit} bytes`,
    { path: walk.root, bytes: walk.bytes, limit: walk.limit },
  )
}

function fault(path: string, problem: string): TroupeErrorOf<'invalid-input'> {
  return new TroupeErrorOf('invalid-input', `${path}: ${problem}`, { path, problem })
}

/** Whether two values are the same JSON, in whatever order their properties stand. */
export function isJsonEqual(a: Json, b: Json): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const left = a as { readonly [key: string]: Json }
  const right = b as { readonly [key: string]: Json }
  const keys = Object.keys(left)
  return keys.length === Object.keys(right).length && keys.every((key) =>
    Object.hasOwn(right, key) && isJsonEqual(left[key] as Json, right[key] as Json))
}
