import { memoryStore } from 'troupe'
import type { Finding } from 'troupe'
import { expect, test } from 'vitest'
import { refusal, useStage } from '../support/stage.ts'

const stage = useStage()

const levels = (findings: readonly Finding[]): string[] =>
  findings.map(({ check, level }) => `${check} ${level}`)

test('the doctor of the store speaks, where there is one', async () => {
  const finding: Finding = { check: 'schema', level: 'error', found: 'too new', advice: 'update' }
  const store = Object.assign(memoryStore(), { doctor: () => Promise.resolve([finding]) })
  const troupe = await stage.open({ store })
  expect(await troupe.doctor()).toEqual([finding])
})

test('without one it says what keeps the jobs, who works, and what nobody works on', async () => {
  const troupe = await stage.open()
  const queue = troupe.queue('q', { tasks: { work: () => 1 } })
  const other = troupe.queue<{ work: () => void }>('other')
  await other.add('work')
  await queue.add('work', undefined, { delay: '1h' })
  expect(levels(await troupe.doctor())).toEqual(['store ok', 'queues warning', 'workers warning'])
  await troupe.start()
  await stage.env.settle()
  const findings = await troupe.doctor()
  expect(levels(findings)).toEqual(['store ok', 'queues warning', 'workers ok'])
  expect(findings[1]).toMatchObject({ found: expect.stringContaining('other (1)') })
  expect(findings[2]).toMatchObject({ found: '1 alive: w1', advice: null })
  const worker = await stage.open()
  worker.queue('other', { tasks: { work: () => 1 } })
  await worker.start()
  await stage.env.settle()
  expect(levels(await troupe.doctor())).toEqual(['store ok', 'workers ok'])
})

test('the doctor is gone after the end', async () => {
  const troupe = await stage.open()
  await stage.drive(troupe.stop())
  expect(await refusal(troupe.doctor())).toMatchObject({ code: 'stopped' })
})
