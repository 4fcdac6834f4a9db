import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { UsageError } from './usage-error.ts'

export interface CommandLine {
  /** The folder with the photos; null for those that come with the example. */
  readonly folder: string | null
  readonly data: string
  readonly output: string
  /** Of the page; null for the usual one. */
  readonly port: number | null
  /** The page stays when all is done. */
  readonly stay: boolean
}

export const usage = `
Usage: npm start -- [FOLDER] [--data DIR] [--output DIR] [--port PORT] [--stay]

Makes thumbnails of all photos in FOLDER, or of six that come with the example.

  --data DIR     where the jobs are stored (examples/photos/data)
  --output DIR   where the thumbnails go (examples/photos/output)
  --port PORT    of the page for uploads (7070, or a free one when that is taken)
  --stay         keep the page up when all is done; on a terminal it stays anyway`

const here = import.meta.dirname

/** Null when the user asks for help. */
export function parseCommandLine(args: readonly string[]): CommandLine | null {
  const { values, positionals } = parse(args)
  if (values.help) return null
  const [folder, ...more] = positionals
  if (more.length > 0) throw new UsageError(`Name one folder, not ${positionals.length}.\n${usage}`)
  return {
    folder: folder === undefined ? null : resolve(folder),
    data: resolve(values.data),
    output: resolve(values.output),
    port: values.port === undefined ? null : parsePort(values.port),
    stay: values.stay || process.stdout.isTTY,
  }
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65_535) return port
  throw new UsageError(`--port must be a number from 0 to 65535, not ${text}.\n${usage}`)
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        data: { type: 'string', default: join(here, 'data') },
        output: { type: 'string', default: join(here, 'output') },
        port: { type: 'string' },
        stay: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`)
  }
}
