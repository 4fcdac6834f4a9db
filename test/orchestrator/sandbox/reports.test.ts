import { describe, expect, test } from 'vitest'
import type { ThreadReport } from '../../../src/orchestrator/sandbox/protocol.ts'
import { ThreadReports } from '../../../src/orchestrator/sandbox/reports.ts'
import { VirtualEnv } from '../../../src/testing/virtual-env.ts'

function open(): { env: VirtualEnv; sent: ThreadReport[]; reports: ThreadReports } {
  const env = new VirtualEnv()
  const sent: ThreadReport[] = []
  return { env, sent, reports: new ThreadReports(env, (report) => { sent.push(report) }) }
}

describe('the reports of a thread', () => {
  test('go out at once, each by itself', () => {
    const { env, sent, reports } = open()
    reports.report(1)
    reports.addLine('a')
    reports.report(2)
    expect(sent).toEqual([
      { progress: 1, lines: [] }, { progress: null, lines: ['a'] }, { progress: 2, lines: [] },
    ])
    expect(env.pendingTimers).toBe(0)
  })

  test('are held back when there are too many, and then the latest goes out', async () => {
    const { env, sent, reports } = open()
    for (let step = 1; step <= 1000; step += 1) reports.report(step)
    expect(sent).toHaveLength(50)
    await env.advance(100)
    expect(sent.slice(50)).toEqual([{ progress: 1000, lines: [] }])
    reports.report(1001)
    expect(sent.at(-1)).toEqual({ progress: 1001, lines: [] })
    expect(env.pendingTimers).toBe(0)
  })

  test('keep all lines in their order, up to as many as a record keeps', async () => {
    const { env, sent, reports } = open()
    for (let line = 1; line <= 200; line += 1) reports.addLine(`${line}`)
    await env.advance(100)
    expect(sent.flatMap(({ lines }) => lines)).toEqual(
      Array.from({ length: 200 }, (_, index) => `${index + 1}`),
    )
    for (let line = 1; line <= 300; line += 1) reports.addLine(`${line}`)
    await env.advance(100)
    expect(sent.at(-1)?.lines.slice(0, 2)).toEqual(['50 lines were skipped', '101'])
    expect(sent.at(-1)?.lines).toHaveLength(201)
  })

  test('cut a line to what a record can mark as cut', () => {
    const { sent, reports } = open()
    reports.addLine('x'.repeat(1_000_000))
    expect(sent[0]?.lines[0]).toHaveLength(64 * 1024 + 1)
  })

  test('go out when the handler ends, and none after that', async () => {
    const { env, sent, reports } = open()
    for (let step = 1; step <= 60; step += 1) reports.report(step)
    reports.close()
    expect(sent.at(-1)).toEqual({ progress: 60, lines: [] })
    const before = sent.length
    reports.report(99)
    reports.addLine('late')
    await env.advance(1000)
    expect(sent).toHaveLength(before)
    expect(env.pendingTimers).toBe(0)
  })
})
