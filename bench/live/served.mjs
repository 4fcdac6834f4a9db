/** The server of a measure, from the side of who measures. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export async function serve(options) {
  const path = fileURLToPath(new URL('server.mjs', import.meta.url))
  const child = fork(path, [JSON.stringify(options)], { execArgv: ['--expose-gc'] })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the server ended with ${code}`)
  })
  ended.catch(() => undefined)
  const heard = async (name) => {
    for (;;) {
      const [message] = await Promise.race([once(child, 'message'), ended])
      if (name in message) return message[name]
    }
  }
  const url = await heard('url')
  return {
    url,
    pid: child.pid,
    steer: (message) => { child.send(message) },
    usage: () => {
      const answer = heard('usage')
      child.send({ usage: 'settled' })
      return answer
    },
    close: () => { child.kill() },
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
export const megabytes = (bytes) => Math.round(bytes / 2 ** 20)
