import { describe, expect, it } from 'vitest'
import { TroupeError } from '../../src/errors.ts'
import type { NewJob } from '../../src/records/job.ts'
import {
  addOptionNames, integer, parseName, parsePolicyFields, parseTime, toNewJob,
} from '../../src/records/options.ts'
import type { AddOptions } from '../../src/records/options.ts'

const source = {
  id: () => 'made-up', queue: 'images', task: 'resize', input: { a: 1 }, by: 'api',
  trace: null,
} as const
const make = (options?: unknown): NewJob => toNewJob(source, options)

function faultOf(run: () => unknown): TroupeError {
  try {
    run()
  } catch (error) {
    if (error instanceof TroupeError) return error
    throw error
  }
  throw new Error('it was accepted')
}

const plain: NewJob = {
  id: 'made-up', hasOwnId: false, queue: 'images', task: 'resize', input: { a: 1 }, priority: 5,
  delayMs: null, runAt: null, ttlMs: null, label: null, meta: null, partition: null, dependsOn: [],
  parentKeys: null, onParentFailure: 'fail', dedupe: null, trace: null, options: {}, by: 'api',
}
const noLimit = 1_000_000
const long = 'x'.repeat(128)
const year = Date.UTC(2030, 0)

/** Every option: what it may be with what it becomes, and what it may not be. */
const table: { readonly [K in keyof AddOptions]-?: {
  readonly good: readonly (readonly [unknown, Partial<NewJob>])[]
  readonly bad: readonly unknown[]
} } = {
  id: {
    good: ['a', long, 'é 😀'].map((id) => [id, { id, hasOwnId: true }] as const),
    bad: ['', `${long}x`, 5, null, 'a\nb', 'a\0', '\u007f', '\ud800', {}, ['a']],
  },
  priority: {
    good: [[0, { priority: 0 }], [-1000, { priority: -1000 }], [1000, { priority: 1000 }]],
    bad: [-1001, 1001, 0.5, NaN, Infinity, '5', null, 5n],
  },
  delay: {
    good: [[0, { delayMs: 0 }], ['10s', { delayMs: 10_000 }], [1.5, { delayMs: 2 }]],
    bad: [-1, '10', NaN, null, new Date(0), {}],
  },
  runAt: {
    good: [
      [0, { runAt: 0 }], [year, { runAt: year }], [new Date(year), { runAt: year }],
      [1.5, { runAt: 2 }], [8.64e15, { runAt: 8.64e15 }],
    ],
    bad: [-1, NaN, 8.64e15 + 2, '2030-01-01', new Date(NaN), new Date(-1), null, {}],
  },
  dependsOn: {
    good: [
      [[], { dependsOn: [] }],
      [['a', { id: 'b' }, 'a'], { dependsOn: ['a', 'b'] }],
    ],
    bad: ['a', null, [''], [5], [{ id: 5 }], [null], Array.from({ length: 1001 }, () => 'j')],
  },
  onParentFailure: {
    good: [['run', { onParentFailure: 'run' }], ['wait', { onParentFailure: 'wait' }]],
    bad: ['', 'ignore', null, true],
  },
  dedupe: {
    good: [
      [{ key: 'k', mode: 'simple' }, { dedupe: { key: 'k', mode: 'simple', windowMs: null } }],
      [
        { key: 'k', mode: 'throttle', window: '1s' },
        { dedupe: { key: 'k', mode: 'throttle', windowMs: 1000 } },
      ],
    ],
    bad: [
      null, 'k', {}, { key: 'k' }, { key: '', mode: 'simple' }, { key: 'k', mode: 'never' },
      { key: 'k', mode: 'simple', window: 5 }, { key: 'k', mode: 'debounce' },
      { key: 'k', mode: 'throttle', window: 0 }, { key: 'k', mode: 'simple', ttl: 5 },
    ],
  },
  retries: {
    good: [[0, { options: { retries: 0 } }], [noLimit, { options: { retries: noLimit } }]],
    bad: [-1, 1.5, noLimit + 1, Infinity, '3', null, true],
  },
  backoff: {
    good: [
      ['5s', { options: { backoff: { type: 'fixed', delayMs: 5_000, jitter: 0 } } }],
      [0, { options: { backoff: { type: 'fixed', delayMs: 0, jitter: 0 } } }],
    ],
    bad: [null, -1, '5', true],
  },
  timeout: {
    good: [[1, { options: { timeoutMs: 1 } }], ['2m', { options: { timeoutMs: 120_000 } }]],
    bad: [0, '0s', -1, NaN, null, 'soon'],
  },
  ttl: {
    good: [[1, { ttlMs: 1 }], ['1d', { ttlMs: 86_400_000 }]],
    bad: [0, '0ms', -1, Infinity, null],
  },
  maxStalls: {
    good: [[0, { options: { maxStalls: 0 } }], [3, { options: { maxStalls: 3 } }]],
    bad: [-1, 0.5, noLimit + 1, '1', null],
  },
  cancelGrace: {
    good: [[0, { options: { cancelGraceMs: 0 } }], ['1s', { options: { cancelGraceMs: 1_000 } }]],
    bad: [-1, 'x', null],
  },
  partition: { good: [['tenant-1', { partition: 'tenant-1' }]], bad: ['', 5, null, 'a\tb'] },
  meta: {
    good: [
      [{ a: [1, null] }, { meta: { a: [1, null] } }], [null, { meta: null }],
      ['x'.repeat(16 * 1024 - 2), { meta: 'x'.repeat(16 * 1024 - 2) }],
    ],
    bad: [new Date(0), () => 1, NaN, 1n, new Map(), 'x'.repeat(16 * 1024 - 1)],
  },
  label: {
    good: [['x'.repeat(256), { label: 'x'.repeat(256) }]], bad: ['', 'x'.repeat(257), 5, null],
  },
}

describe('the options of add', () => {
  it('are all in this table', () => {
    expect([...addOptionNames].sort()).toEqual(Object.keys(table).sort())
  })

  it('may all be left out', () => {
    const unset = Object.fromEntries(addOptionNames.map((name) => [name, undefined]))
    for (const options of [undefined, {}, unset]) {
      expect(make(options)).toStrictEqual(plain)
    }
  })

  describe.each(addOptionNames)('%s', (name) => {
    it.each(table[name].good)('may be %o', (value, becomes) => {
      expect(make({ [name]: value })).toStrictEqual({ ...plain, ...becomes })
    })

    it.each(table[name].bad.map((value) => [value]))('may not be %o', (value) => {
      const error = faultOf(() => make({ [name]: value }))
      const codes = name === 'meta' ? ['invalid-input', 'too-large'] : ['invalid-option']
      expect(codes).toContain(error.code)
      expect(error.details).toHaveProperty('path')
      expect((error.details as { path: string }).path).toMatch(`options.${name}`)
      expect(error.message).toContain(`options.${name}`)
    })
  })

  it('go together', () => {
    const options = {
      id: 'mine', priority: 1, delay: '1s', retries: 2, ttl: '1m', label: 'A photo',
    } satisfies AddOptions
    expect(make(options)).toStrictEqual({
      ...plain, id: 'mine', hasOwnId: true, priority: 1, delayMs: 1_000, options: { retries: 2 },
      ttlMs: 60_000, label: 'A photo',
    })
  })

  it('do not have delay and runAt together, not even as zero', () => {
    const error = faultOf(() => make({ delay: 0, runAt: 0 }))
    expect(error.code).toBe('invalid-option')
    expect(error.details).toEqual({
      path: 'options', expected: 'either delay or runAt', received: '"both"',
    })
    expect(() => make({ delay: 0, runAt: undefined })).not.toThrow()
  })

  it.each(['delay', 'runAt', 'dependsOn'])('do not have %s beside a debounce', (name) => {
    const dedupe = { key: 'k', mode: 'debounce', window: '1s' }
    const value = { delay: 1, runAt: 1, dependsOn: ['a'] }[name]
    const error = faultOf(() => make({ dedupe, [name]: value }))
    expect(error.details).toMatchObject({ path: `options.${name}` })
  })

  const strangers = ['retry', 'Priority', 'toString', 'constructor', '__proto__']
  it.each(strangers)('do not know %s', (name) => {
    const options: unknown = JSON.parse(`{ ${JSON.stringify(name)}: 1 }`)
    const error = faultOf(() => make(options))
    expect(error.code).toBe('invalid-option')
    expect(error.details).toMatchObject({ path: `options.${name}` })
    expect(error.message).toContain('priority')
  })

  it.each([[null], [5], ['delay'], [[]], [() => 1], [true]])('are not %o', (options) => {
    const error = faultOf(() => make(options))
    expect(error.code).toBe('invalid-option')
    expect(error.details).toMatchObject({ path: 'options', expected: 'an object' })
  })

  it('are checked under the path that the caller names', () => {
    const error = faultOf(() => toNewJob(source, { delay: -1 }, 'specs[3].options'))
    expect(error.details).toMatchObject({ path: 'specs[3].options.delay' })
  })

  it('point into meta', () => {
    const error = faultOf(() => make({ meta: { user: { at: [new Date(0)] } } }))
    expect(error.details).toMatchObject({ path: 'options.meta.user.at[0]' })
  })

  it('are not the caller\'s any more: later changes do not reach the job', () => {
    const meta = { tags: ['a'] }
    const job = make({ meta, retries: 1 })
    meta.tags.push('b')
    expect(job.meta).toEqual({ tags: ['a'] })
    expect(Object.isFrozen(job.options)).toBe(true)
  })

  it('ask for an id only when the caller has none', () => {
    let asked = 0
    const counting = { ...source, id: () => `id-${asked += 1}` }
    expect(toNewJob(counting, { id: 'mine' }).id).toBe('mine')
    expect(asked).toBe(0)
    expect(toNewJob(counting, {}).id).toBe('id-1')
  })
})

describe('the options of a task or a queue', () => {
  it('are the policy ones', () => {
    expect(parsePolicyFields(
      { retries: 3, backoff: '1s', timeout: '1m', maxStalls: 2, cancelGrace: 5 }, 'defaults',
    )).toStrictEqual({
      retries: 3, backoff: { type: 'fixed', delayMs: 1_000, jitter: 0 }, timeoutMs: 60_000,
      maxStalls: 2, cancelGraceMs: 5,
    })
    expect(parsePolicyFields(undefined, 'defaults')).toStrictEqual({})
  })

  it.each(['id', 'priority', 'delay', 'meta', 'nonsense'])('are not %s', (name) => {
    const error = faultOf(() => parsePolicyFields({ [name]: 1 }, 'tasks.resize'))
    expect(error.code).toBe('invalid-option')
    expect(error.details).toMatchObject({
      path: `tasks.resize.${name}`,
      expected: 'one of retries, backoff, timeout, maxStalls, cancelGrace',
    })
  })

  it('name the path of a fault', () => {
    expect(faultOf(() => parsePolicyFields({ retries: -1 }, 'defaults')).details)
      .toMatchObject({ path: 'defaults.retries', received: '-1' })
  })
})

describe('the parsers behind them', () => {
  it('parseName takes what it is told', () => {
    expect(parseName('abc', 'name', 3)).toBe('abc')
    expect(faultOf(() => parseName('abcd', 'name', 3)).message)
      .toBe('name must be text of 1 to 3 characters without control characters; received "abcd"')
  })

  it('parseTime tells an invalid Date from others', () => {
    expect(faultOf(() => parseTime(new Date(NaN), 'when')).message).toContain('an invalid Date')
    expect(faultOf(() => parseTime('now', 'when')).message).toContain('received "now"')
  })

  it('integer takes its bounds', () => {
    expect([integer(1, 'n', 1, 3), integer(3, 'n', 1, 3)]).toEqual([1, 3])
    for (const value of [0, 4]) {
      expect(() => integer(value, 'n', 1, 3)).toThrow('n must be an integer from 1 to 3')
    }
  })
})
