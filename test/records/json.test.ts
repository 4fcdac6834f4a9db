import { isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Json } from '../../machines/vocabulary.ts'
import { TroupeError } from '../../src/errors.ts'
import { cloneJson, defaultSizeLimit, toJson } from '../../src/records/json.ts'

const copy = (value: unknown, limit = defaultSizeLimit): Json => toJson(value, 'input', limit)

function faultOf(value: unknown, limit = defaultSizeLimit): TroupeError {
  try {
    copy(value, limit)
  } catch (error) {
    if (error instanceof TroupeError) return error
    throw error
  }
  throw new Error('it was accepted')
}

class Point {
  readonly x = 1
}
const cycle: Record<string, unknown> = { name: 'a' }
cycle['self'] = { again: cycle }
const loop: unknown[] = [1]
loop.push(loop)
/** A list with a hole at index 1. */
const sparse: unknown[] = [1]
sparse[2] = 3

describe('what is not JSON', () => {
  it.each<[string, unknown, string]>([
    ['undefined', undefined, 'input'],
    ['a function', () => 1, 'input'],
    ['a function in a property', { a: { onDone: () => 1 } }, 'input.a.onDone'],
    ['a symbol', { a: Symbol('s') }, 'input.a'],
    ['a BigInt', { a: [1n] }, 'input.a[0]'],
    ['NaN', { a: Number.NaN }, 'input.a'],
    ['Infinity', [1, Infinity], 'input[1]'],
    ['-Infinity', [[-Infinity]], 'input[0][0]'],
    ['a Date', { at: new Date(0) }, 'input.at'],
    ['a Map', { map: new Map() }, 'input.map'],
    ['a Set', [new Set()], 'input[0]'],
    ['a RegExp', { find: /x/ }, 'input.find'],
    ['an Error', new Error('x'), 'input'],
    ['a Promise', { later: Promise.resolve(1) }, 'input.later'],
    ['bytes', { file: new Uint8Array(2) }, 'input.file'],
    ['a Buffer', Buffer.from('x'), 'input'],
    ['a boxed string', Object('text'), 'input'],
    ['a class instance', { at: [new Point()] }, 'input.at[0]'],
    ['undefined in an array', { list: [1, undefined] }, 'input.list[1]'],
    ['a hole in an array', { list: sparse }, 'input.list[1]'],
    ['a property named by a symbol', { a: { [Symbol('s')]: 1 } }, 'input.a'],
    ['a cycle through objects', cycle, 'input.self.again'],
    ['a cycle through an array', loop, 'input[1]'],
    ['NUL', { text: 'a\0b' }, 'input.text'],
    ['NUL in a key', { 'a\0b': 1 }, 'input["a\\u0000b"]'],
    ['a first half of a pair', ['\ud83d'], 'input[0]'],
    ['a second half of a pair', ['x\ude00y'], 'input[0]'],
    ['halves in the wrong order', '\ude00\ud83d', 'input'],
    ['a lone surrogate in a key', { a: { 'x\ud800': 1 } }, 'input.a["x\\ud800"]'],
    ['a path with an odd key', { 'my key': { '1st': [NaN] } }, 'input["my key"]["1st"][0]'],
    ['a method called toJSON', { toJSON: () => 1 }, 'input.toJSON'],
  ])('%s is refused', (_name, value, path) => {
    const error = faultOf(value)
    expect(error.code).toBe('invalid-input')
    expect(error.details).toMatchObject({ path })
    expect(error.message.startsWith(`${path}: `)).toBe(true)
  })

  it('nothing but a TroupeError refuses, and what passes says what JSON.stringify says', () => {
    const anything = fc.anything({
      maxDepth: 4, withBigInt: true, withDate: true, withMap: true, withNullPrototype: true,
      withObjectString: true, withSet: true, withSparseArray: true, withTypedArray: true,
      withUnicodeString: true,
    })
    fc.assert(fc.property(anything, (value) => {
      let result: Json
      try {
        result = copy(value)
      } catch (error) {
        if (!(error instanceof TroupeError)) throw error
        return
      }
      expect(JSON.stringify(result)).toBe(JSON.stringify(value))
    }), { numRuns: 1_000 })
  })
})

describe('what is JSON', () => {
  const keys = fc.oneof(
    fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', ''),
  )
  const tree = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 },
      fc.jsonValue(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(keys, tie('value'), { maxKeys: 4 }),
    ),
  })).value

  it('comes out as JSON would carry it', () => {
    fc.assert(fc.property(fc.oneof(fc.jsonValue(), tree), (value) => {
      const text = JSON.stringify(value)
      const result = copy(value)
      expect(JSON.stringify(result)).toBe(text)
      expect(isDeepStrictEqual(result, JSON.parse(text))).toBe(true)
    }), { numRuns: 1_000 })
  })

  it('keeps a key named __proto__ and pollutes nobody', () => {
    const value: unknown = JSON.parse('{"__proto__":{"admin":true},"a":1}')
    const result = copy(value) as Record<string, Json>
    expect(JSON.stringify(result)).toBe('{"__proto__":{"admin":true},"a":1}')
    expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
    expect(result['admin']).toBeUndefined()
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
  })

  it('drops properties that are undefined', () => {
    const result = copy({ a: undefined, b: { c: undefined }, d: [{ e: undefined }] })
    expect(result).toStrictEqual({ b: {}, d: [{}] })
  })

  it('turns a negative zero into the zero that a reader would see', () => {
    expect(Object.is(copy(-0), 0)).toBe(true)
  })

  it('takes objects without a prototype and of another realm', () => {
    expect(copy(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 })
    expect(copy(runInNewContext('({ a: [1, { b: 2 }] })'))).toStrictEqual({ a: [1, { b: 2 }] })
  })

  it('takes what is shared but no cycle, and whole pairs of surrogates', () => {
    const shared = { n: [1] }
    expect(copy([shared, shared, { again: shared }]))
      .toStrictEqual([{ n: [1] }, { n: [1] }, { again: { n: [1] } }])
    expect(copy({ '😀': '😀' })).toStrictEqual({ '😀': '😀' })
  })

  it('gives a frozen copy that later changes of the original do not reach', () => {
    const original = { list: [{ a: 1 }], deep: { er: { text: 'x' } } }
    const result = copy(original) as unknown as typeof original
    original.list.push({ a: 2 })
    original.deep.er.text = 'changed'
    expect(result).toStrictEqual({ list: [{ a: 1 }], deep: { er: { text: 'x' } } })
    for (const part of [result, result.list, result.list[0], result.deep, result.deep.er]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
    expect(Object.isFrozen(original)).toBe(false)
  })
})

describe('the limits', () => {
  function nested(levels: number): unknown {
    let value: unknown = 1
    for (let level = 0; level < levels; level += 1) value = level % 2 ? [value] : { a: value }
    return value
  }

  it('takes 200 levels and refuses more, however many', () => {
    expect(() => copy(nested(200))).not.toThrow()
    for (const levels of [201, 100_000]) {
      const error = faultOf(nested(levels))
      expect(error.code).toBe('invalid-input')
      expect(error.message).toContain('more than 200 levels deep')
    }
  })

  it('counts the bytes of the JSON text, to the byte', () => {
    fc.assert(fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      fc.pre(!text.includes('\0'))
      const both = [value, { text, [text]: 1 }]
      const bytes = Buffer.byteLength(JSON.stringify(both))
      expect(() => copy(both, bytes)).not.toThrow()
      expect(faultOf(both, bytes - 1).code).toBe('too-large')
    }), { numRuns: 500 })
  })

  it('refuses more with the path of the whole, the size so far and the limit', () => {
    const error = faultOf({ a: 'x'.repeat(100), b: { c: 'é'.repeat(100) } }, 200)
    expect(error.code).toBe('too-large')
    expect(error.details).toMatchObject({ path: 'input', limit: 200 })
    expect((error.details as { bytes: number }).bytes).toBeGreaterThan(200)
  })

  it('of inputs and results is a MiB', () => {
    expect(defaultSizeLimit).toBe(1024 * 1024)
    expect(() => copy('x'.repeat(1024 * 1024 - 2))).not.toThrow()
    expect(faultOf('x'.repeat(1024 * 1024 - 1)).code).toBe('too-large')
  })

  it('stops early in what is far too large', () => {
    const wide = new Proxy([], {
      get: (_list, key) => (key === 'length' ? 1e9 : Number(key) < 1_000 ? 1 : undefined),
    })
    expect(faultOf(wide, 1_000).code).toBe('too-large')
  })
})

describe('cloneJson', () => {
  it('gives a copy that is equal and that its owner may change', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      const original = copy(value)
      const clone = cloneJson(original)
      expect(isDeepStrictEqual(clone, original)).toBe(true)
      if (typeof clone === 'object' && clone !== null) {
        expect(clone).not.toBe(original)
        expect(Object.isFrozen(clone)).toBe(false)
      }
    }))
  })

  it('lets its owner change even a key named __proto__', () => {
    const clone = cloneJson(copy(JSON.parse('{"__proto__":{"a":[1]}}'))) as Record<string, Json>
    clone['__proto__'] = 2
    expect(JSON.stringify(clone)).toBe('{"__proto__":2}')
    expect(Object.getPrototypeOf(clone)).toBe(Object.prototype)
  })
})
