/** A thousand streams, each of which hears every transition. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { quantile } from '../load.mjs'
import { megabytes, serve, sleep } from './served.mjs'

const streams = 1000
const rate = 500
const warmMs = 5000

export async function measureStreams({ seconds }) {
  const server = await serve({})
  const path = fileURLToPath(new URL('listeners.mjs', import.meta.url))
  const listeners = fork(path, [JSON.stringify({ url: server.url, streams, parsed: 10 })])
  await once(listeners, 'message')
  server.steer({ rate })
  await sleep(warmMs)
  const before = await server.usage()
  listeners.send('begin')
  const middle = sleep(seconds * 500).then(() => server.usage())
  await sleep(seconds * 1000)
  listeners.send('end')
  const [{ ages, bytes, skipped }] = await once(listeners, 'message')
  const after = await server.usage()
  const half = await middle
  listeners.disconnect()
  server.close()
  const wallMs = after.at - before.at
  return [
    `${streams} streams of all transitions on one process, ${seconds} s: ` +
      `${Math.round(((after.completed - before.completed) * 3000) / wallMs)} transitions a second, ` +
      `${megabytes((bytes * 1000) / wallMs)} MB a second to the streams, ${skipped} skipped`,
    `commit → client: p50 ${quantile(ages, 0.5).toFixed(1)} ms, ` +
      `p99 ${quantile(ages, 0.99).toFixed(1)} ms, at most ${quantile(ages, 1).toFixed(0)} ms`,
    `the server: ${((after.cpuUs - before.cpuUs) / wallMs / 10).toFixed(0)} % of a core; heap ` +
      `${[before, half, after].map((one) => megabytes(one.heapUsed)).join(', ')} MB and rss ` +
      `${[before, half, after].map((one) => megabytes(one.rss)).join(', ')} MB at the start, half way, at the end`,
  ]
}
