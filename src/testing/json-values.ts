import * as fc from 'fast-check'
import type { Json } from '../../machines/vocabulary.ts'

export const plain = { noNullPrototype: true } as const

const surrogates = 0x800
/** Any code point but NUL and surrogates: ASCII often. */
const character = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
  fc.integer({ min: 1, max: 0x10ffff - surrogates }),
).map((code) => String.fromCodePoint(code < 0xd800 ? code : code + surrogates))

/** Text that JSON and every store take. */
export function text(maxLength: number, minLength = 0): fc.Arbitrary<string> {
  return fc.string({ unit: character, minLength, maxLength })
    .filter((each) => each.length <= maxLength)
}

/** Names as keys, ids, partitions and labels have them: without control characters. */
export function names(maxLength = 64): fc.Arbitrary<string> {
  return text(maxLength, 1)
    .map((each) => each.replaceAll(/[\u0000-\u001f\u007f]/g, ''))
    .filter((each) => each !== '')
}

/** Inputs, results and the like: any JSON, not very large. */
export function jsonValues(): fc.Arbitrary<Json> {
  const { value } = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant(null), fc.boolean(), fc.integer(), text(20),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((each) => (each === 0 ? 0 : each)),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(text(8), tie('value'), { maxKeys: 4, ...plain }),
    ),
  }))
  return value
}
