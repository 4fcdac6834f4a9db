import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readSources, root } from '../tidy/files.ts'

const cache = join(root, '.cache')
const dayMs = 24 * 60 * 60 * 1000

/** The folder of the built package as the sources are now; who comes second finds it there. */
export function buildPackage(): string {
  const hash = createHash('sha256')
  for (const { path, text } of readSources(['machines', 'src'])) hash.update(`${path}\0${text}\0`)
  const folder = join(cache, `built-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  removeOld()
  const unfinished = `${folder}-${process.pid}`
  execFileSync(process.execPath, [
    join(root, 'node_modules/typescript/bin/tsc'), '-p', join(root, 'tsconfig.build.json'),
    '--outDir', unfinished, '--incremental', 'false', '--tsBuildInfoFile', 'null',
    '--declaration', 'false', '--declarationMap', 'false',
  ], { stdio: ['ignore', 'inherit', 'inherit'] })
  try {
    renameSync(unfinished, folder)
  } catch {
    rmSync(unfinished, { recursive: true, force: true }) // somebody else was first
  }
  return folder
}

function removeOld(): void {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name)
    if (!name.startsWith('built-') || statSync(path).mtimeMs > Date.now() - dayMs) continue
    rmSync(path, { recursive: true, force: true })
  }
}
