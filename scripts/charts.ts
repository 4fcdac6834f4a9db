import { readFile, writeFile } from 'node:fs/promises'
import { chartSections, replaceSections } from './chart-sections.ts'

/** Writes the diagrams of both charts, and their tables, into docs/concepts.md. */
const page = new URL('../docs/concepts.md', import.meta.url)
const before = await readFile(page, 'utf8')
const after = replaceSections(before, chartSections())
if (before === after) console.log('docs/concepts.md is up to date')
else {
  await writeFile(page, after)
  console.log('docs/concepts.md was written')
}
