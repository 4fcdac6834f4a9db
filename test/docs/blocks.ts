import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

export const root = resolve(import.meta.dirname, '..', '..')
export const tsconfig = join(root, 'tsconfig.json')

/** TypeScript of a page: a program, or, when its fence names a file, a part of an app. */
export interface Block {
  readonly page: string
  readonly line: number
  readonly file: string | null
  readonly code: string
}

export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```ts(?: (\S+\.ts))?\n(.*?)^```/gms)].map((match) => ({
    page,
    line: text.slice(0, match.index).split('\n').length + 1,
    file: match[1] ?? null,
    code: match[2] ?? '',
  }))
}

/** The files of the app that a page describes. */
export function appOf(page: string): ReadonlyMap<string, string> {
  return new Map(blocksOf(page).flatMap(({ file, code }) => (file === null ? [] : [[file, code]])))
}

/** The output of a program, which may write nothing to stderr. */
export async function runProgram(file: string, variables: NodeJS.ProcessEnv = {}): Promise<string> {
  const cwd = mkdtempSync(join(tmpdir(), 'troupe-docs-'))
  const env = { ...process.env, TSX_TSCONFIG_PATH: tsconfig, ...variables }
  try {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath, ['--import', import.meta.resolve('tsx'), file],
      { cwd, timeout: 60_000, env },
    )
    if (stderr !== '') throw new Error(`it wrote to stderr: ${stderr}`)
    return stdout
  } finally {
    rmSync(cwd, { recursive: true, force: true })
  }
}
