import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { jobMachine, queueMachine } from '../../machines/index.ts'
import { svg } from '../../src/cli/svg.ts'
import type { ChartGeometry, WireChart } from '../../src/gateway/fleet-protocol.ts'
import { useCommandLine } from './command-line.ts'

const { troupe } = await useCommandLine()

/** The names of the states of a machine, with those inside of others. */
function statesOf(node: { readonly states: object }): string[] {
  return Object.entries(node.states as Record<string, { readonly states: object }>)
    .flatMap(([name, child]) => [name, ...statesOf(child)])
}

/** Throws unless every element is closed, and no letter stands where XML does not take it. */
function expectWellFormed(text: string): void {
  const open: string[] = []
  const rest = text.replace(/<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<]*")*)(\/?)>/g,
    (_, closes: string, name: string, _1, alone: string) => {
      if (closes !== '') expect(open.pop()).toBe(name)
      else if (alone === '') open.push(name)
      return ''
    })
  expect(open).toEqual([])
  expect(rest).not.toMatch(/[<>]|&(?!amp;|lt;|gt;|quot;|#39;)/)
}

test.each([
  ['job', jobMachine.root, ['fail · timeout', '[retries left]', 'claim']],
  ['queue', queueMachine.root, ['pause', '[not paused]', 'emptied']],
] as const)('chart --format svg draws all of the %s machine', async (machine, root, labels) => {
  const { code, out, errors } = await troupe(['chart', machine, '--format', 'svg'])
  expect({ code, errors }).toEqual({ code: 0, errors: '' })
  expectWellFormed(out)
  expect(out).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/)
  expect(out).toContain('@media (prefers-color-scheme:dark)')
  for (const name of statesOf(root)) {
    expect(out).toMatch(new RegExp(`<text class="name"[^>]*>${name}</text>`))
  }
  for (const label of labels) expect(out).toContain(label)
  const { out: json } = await troupe(['chart', machine, '--format', 'svg', '--json'])
  expect(JSON.parse(json)).toEqual({ machine, format: 'svg', text: out.replace(/\n$/, '') })
})

test('a format that is not known is refused', async () => {
  expect(await troupe(['chart', '--format', 'svgg'])).toEqual({
    code: 2, out: '',
    errors: 'troupe: --format "svgg" is not known (did you mean "svg"?); known: mermaid, svg\n',
  })
})

test('whatever a chart says stays text', () => {
  const file = new URL('../../src/gateway/fleet/geometry.json', import.meta.url)
  const { jobChart, jobGeometry } = JSON.parse(readFileSync(file, 'utf8')) as {
    readonly jobChart: WireChart
    readonly jobGeometry: { readonly wide: ChartGeometry }
  }
  const nasty = `</title><script>alert("1")</script> & 'x' \u0001 \ud800`
  const drawn = svg({
    ...jobChart, description: nasty,
    nodes: jobChart.nodes.map((node) => ({ ...node, description: nasty })),
    edges: jobChart.edges.map((edge) => ({ ...edge, guard: nasty })),
  }, jobGeometry.wide)
  expectWellFormed(drawn)
  expect(drawn).not.toContain('<script')
  expect(drawn).not.toMatch(/[\u0000-\u0008]/)
  expect(drawn.isWellFormed()).toBe(true)
})
