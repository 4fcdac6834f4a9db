import { expect, it } from 'vitest'
import type { Json } from '../../../machines/vocabulary.ts'
import type { OpenBench } from './bench.ts'

export function settingsContract(open: OpenBench): void {
  it('are null, version 0, before they were ever set', async () => {
    const bench = await open()
    expect(await bench.store.getSetting('a')).toEqual({ value: null, version: 0 })
  })

  it('are written by who knows the version, and each write is the next version', async () => {
    const bench = await open()
    const value: Json = { deep: [1, { er: null }], text: 'ß' }
    expect(await bench.store.casSetting('a', 0, value)).toBe(true)
    expect(await bench.store.getSetting('a')).toEqual({ value, version: 1 })
    expect(await bench.store.casSetting('a', 1, null)).toBe(true)
    expect(await bench.store.getSetting('a')).toEqual({ value: null, version: 2 })
  })

  it('stay as they are for who knows another version', async () => {
    const bench = await open()
    await bench.store.casSetting('a', 0, 'first')
    const told = bench.news.length
    for (const version of [0, 2]) {
      expect(await bench.store.casSetting('a', version, 'other')).toBe(false)
    }
    expect(await bench.store.getSetting('a')).toEqual({ value: 'first', version: 1 })
    expect(bench.news).toHaveLength(told)
  })

  it('go to one of two who write at once', async () => {
    const bench = await open()
    const wrote = await Promise.all([
      bench.store.casSetting('a', 0, 1), bench.store.casSetting('a', 0, 2),
    ])
    if (bench.embedded) expect(wrote).toEqual([true, false])
    expect([...wrote].sort()).toEqual([false, true])
    expect(await bench.store.getSetting('a')).toEqual({ value: wrote[0] ? 1 : 2, version: 1 })
  })

  it('are apart by key', async () => {
    const bench = await open()
    await bench.store.casSetting('a', 0, 1)
    expect(await bench.store.getSetting('b')).toEqual({ value: null, version: 0 })
    expect(await bench.store.casSetting('__proto__', 0, 3)).toBe(true)
    expect(await bench.store.getSetting('__proto__')).toEqual({ value: 3, version: 1 })
  })
}
