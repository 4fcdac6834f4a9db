import { show, TroupeErrorOf } from '../errors.ts'

/** JSON text of what JSON carries unchanged; else an `invalid-input` error that names the field. */
export function toJsonText(value: unknown): string {
  return JSON.stringify(value, function refuse(this: unknown, key: string, sent: unknown) {
    // `sent` is what `toJSON` of a Date has made of it already.
    const given = (this as Record<string, unknown>)[key]
    const isCarried = typeof given === 'object'
      ? given === null || Array.isArray(given) || isPlain(given)
      : typeof given === 'number'
        ? Number.isFinite(given)
        : ['string', 'boolean'].includes(typeof given) ||
          (given === undefined && !Array.isArray(this))
    if (isCarried) return sent
    const problem = `${show(given)} is not JSON`
    throw new TroupeErrorOf('invalid-input', `${key}: ${problem}`, { path: key, problem })
  })
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
