import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { UsageError } from './usage-error.ts'

export interface CommandLine {
  /** The folder with the photos; null for those that come with the example. */
  readonly folder: string | null
  readonly data: string
  readonly output: string
}

export const usage = `
Usage: npm start -- [FOLDER] [--data DIR] [--output DIR]

Makes thumbnails of all photos in FOLDER, or of six that come with the example.

  --data DIR     where the jobs are stored (examples/photos/data)
  --output DIR   where the thumbnails go (examples/photos/output)`

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
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        data: { type: 'string', default: join(here, 'data') },
        output: { type: 'string', default: join(here, 'output') },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(`${(error as Error).message}\n${usage}`)
  }
}
