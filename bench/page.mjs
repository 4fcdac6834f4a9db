/** The page that `--write` rewrites: each suite between two marks of its own. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const page = fileURLToPath(new URL('../docs/benchmarks.md', import.meta.url))

/** Replaces what stands between the marks; appends it when there is nothing. */
export function writeBlock(mark, text) {
  const beginMark = `<!-- ${mark}:begin (written by npm start -- --write in bench/) -->`
  const endMark = `<!-- ${mark}:end -->`
  const block = `${beginMark}\n\n${text}\n\n${endMark}`
  const old = existsSync(page) ? readFileSync(page, 'utf8') : '# Benchmarks\n'
  const begin = old.indexOf(beginMark)
  const end = old.indexOf(endMark)
  const found = begin >= 0 && end > begin
  const next = found
    ? old.slice(0, begin) + block + old.slice(end + endMark.length)
    : `${old.trimEnd()}\n\n${block}\n`
  mkdirSync(dirname(page), { recursive: true })
  writeFileSync(page, next)
}
