/** A proxy before the server that counts the statements which pass it. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'

/** A simple query, and the execution of a prepared one. */
const statements = new Set(['Q', 'E'].map((letter) => letter.charCodeAt(0)))

export async function countStatements(serverUrl) {
  const { hostname, port } = new URL(serverUrl)
  const counter = { count: 0 }
  const server = createServer((near) => {
    const far = connect(Number(port || 5432), hostname)
    near.on('data', reader(() => counter.count++))
    near.pipe(far).pipe(near)
    for (const socket of [near, far]) {
      socket.setNoDelay(true)
      socket.on('error', () => (near.destroy(), far.destroy()))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(serverUrl)
  url.hostname = '127.0.0.1'
  url.port = String(server.address().port)
  return { url: url.href, counter, close: () => server.close() }
}

/** Messages are a letter and a length that counts itself; the first of a connection has no letter. */
function reader(onStatement) {
  let rest = Buffer.alloc(0)
  let letters = 0
  return (data) => {
    rest = Buffer.concat([rest, data])
    while (rest.length >= letters + 4) {
      const end = letters + rest.readInt32BE(letters)
      if (rest.length < end) return
      if (letters === 1 && statements.has(rest[0])) onStatement()
      rest = rest.subarray(end)
      letters = 1
    }
  }
}
