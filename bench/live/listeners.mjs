/**
 * Many streams in a process of its own. Each is read to the end of what comes; some are parsed, and
 * say how long ago each transition was committed. Prints what it measured when told to.
 */
import http from 'node:http'

const { url, streams, parsed } = JSON.parse(process.argv[2] ?? '{}')
const agent = new http.Agent({ maxSockets: Number.POSITIVE_INFINITY })
let measuring = false
let ages = []
let bytes = 0
let skipped = 0

function take(block) {
  if (!block.includes('event: queue.job.changed')) return
  const data = /^data: (.*)$/m.exec(block)?.[1]
  if (!data || !measuring) return
  const transition = JSON.parse(data)
  ages.push(performance.timeOrigin + performance.now() - transition.at)
  skipped += transition.skipped ?? 0
}

function open(index) {
  return new Promise((resolve, reject) => {
    http.get(`${url}/v1/stream?queue=work`, { agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`))
      resolve()
      let rest = ''
      response.on('data', (chunk) => {
        if (measuring) bytes += chunk.length
        if (index >= parsed) return
        const blocks = `${rest}${chunk}`.split('\n\n')
        rest = blocks.pop() ?? ''
        blocks.forEach(take)
      })
      response.on('end', () => { if (measuring) throw new Error('a stream ended') })
    }).on('error', reject)
  })
}

process.on('message', (message) => {
  if (message === 'begin') measuring = true
  else {
    measuring = false
    process.send({ ages, bytes, skipped })
    ages = []
  }
})
process.on('disconnect', () => process.exit())
for (let index = 0; index < streams; index += 50) {
  await Promise.all(Array.from({ length: 50 }, (_, more) => open(index + more)))
}
process.send('open')
