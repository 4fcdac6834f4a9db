/** graphile-worker and pg-boss need Node 22 or later: what is measured here runs on Node 24. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const file = process.platform === 'win32' ? 'node.exe' : 'node'

export const node24 = fileURLToPath(new URL(`node_modules/node/bin/${file}`, import.meta.url))

export const versionOfNode24 = () =>
  execFileSync(node24, ['--version'], { encoding: 'utf8' }).trim()
