/** Prints what open streams and pages cost: `npm run live -- [streams] [page] [--seconds N]`. */
import { parseArgs } from 'node:util'
import { measurePage } from './page.mjs'
import { measureStreams } from './streams.mjs'

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '30' } }, allowPositionals: true,
})
const seconds = Number(values.seconds)
const measures = { streams: measureStreams, page: measurePage }
const chosen = positionals.length > 0 ? positionals : Object.keys(measures)
for (const name of chosen) {
  const lines = await measures[name]({ seconds })
  console.log(lines.map((line) => `* ${line}`).join('\n'))
}
