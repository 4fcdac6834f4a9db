import { resolve } from 'node:path'
import { systemEnv } from '../env.ts'
import { messageOf, usageError } from './exit.ts'
import type { Terminal } from './terminal.ts'

/** What stands on the command line as JSON, in `@file`, or as `-` on standard input. */
export async function readJson(
  given: string | undefined, what: string, terminal: Terminal,
): Promise<unknown> {
  if (given === undefined) return undefined
  if (given === '-') return parseJson(await whole(terminal), `${what} on standard input`)
  if (!given.startsWith('@')) return parseJson(given, what)
  const path = resolve(given.slice(1))
  const bytes = await systemEnv.disk.read(path).catch((error: unknown) => {
    throw usageError(`${what}: ${path} cannot be read: ${messageOf(error)}`)
  })
  if (!bytes) throw usageError(`${what}: there is no file ${path}`)
  return parseJson(bytes.toString(), path)
}

async function whole(terminal: Terminal): Promise<string> {
  const lines: string[] = []
  for await (const line of terminal.lines()) lines.push(line)
  return lines.join('\n')
}

export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    const hint = /^[\w./-]+$/.test(text) ? `; text needs quotes: '"${text}"', a file an @` : ''
    throw usageError(`${what} is not JSON (${messageOf(error)})${hint}`)
  }
}

/** `key=value` pairs; a value that is JSON is that, any other is text. */
export function parseMeta(pairs: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(pairs.map((pair) => {
    const cut = pair.indexOf('=')
    if (cut < 1) throw usageError(`--meta "${pair}" must be key=value`)
    const text = pair.slice(cut + 1)
    return [pair.slice(0, cut), valueOf(text)]
  }))
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    // Not JSON: the text itself is meant.
    return text
  }
}
