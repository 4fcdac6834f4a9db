import { execFile } from 'node:child_process'
import {
  existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, describe, expect, it } from 'vitest'
import { chartSections, replaceSections } from '../scripts/chart-sections.ts'

const root = resolve(import.meta.dirname, '..')
const tsconfig = join(root, 'tsconfig.json')
const scratch = join(root, '.cache', `docs-${process.pid}`)
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...markdownBelow('docs')]

interface Block {
  /** Page and line, so that a failure says where to look. */
  readonly name: string
  readonly file: string
  readonly code: string
}

function markdownBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md')).map((name) => join(folder, name)).sort()
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/^```ts\n(.*?)^```/gms)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length + 1
    const file = join(scratch, `${page.replaceAll(/\W/g, '-')}-${line}.ts`)
    return { name: `${page}:${line}`, file, code: match[1] ?? '' }
  })
}

const blocks = pages.flatMap(blocksOf)
mkdirSync(scratch, { recursive: true })
for (const { file, code } of blocks) writeFileSync(file, `${code}\nexport {}\n`)
afterAll(() => { rmSync(scratch, { recursive: true, force: true }) })

describe('the code in the docs', () => {
  it.each(blocks)('of $name runs', async ({ file }) => {
    const cwd = mkdtempSync(join(tmpdir(), 'troupe-docs-'))
    try {
      const { stderr } = await promisify(execFile)(
        process.execPath, ['--import', import.meta.resolve('tsx'), file],
        { cwd, timeout: 60_000, env: { ...process.env, TSX_TSCONFIG_PATH: tsconfig } },
      )
      expect(stderr).toBe('')
    } finally {
      rmSync(cwd, { recursive: true, force: true })
    }
  }, 70_000)

  it('compiles under strict', () => {
    const config = ts.readConfigFile(tsconfig, (path) => ts.sys.readFile(path))
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
    const program = ts.createProgram(blocks.map(({ file }) => file), options)
    const problems = ts.getPreEmitDiagnostics(program).map((problem) => {
      const page = relative(scratch, problem.file?.fileName ?? '')
      return `${page}: ${ts.flattenDiagnosticMessageText(problem.messageText, ' ')}`
    })
    expect(problems).toEqual([])
  }, 60_000)
})

describe('the pages', () => {
  it('show the charts that run', () => {
    const page = readFileSync(join(root, 'docs/concepts.md'), 'utf8')
    expect(page, 'npm run docs:charts').toBe(replaceSections(page, chartSections()))
  })

  it.each(pages)('%s links only to what exists', (page) => {
    const text = readFileSync(join(root, page), 'utf8')
    const links = text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)
    const targets = [...links].map((match) => match[1] ?? '')
    const missing = targets.filter((target) => !existsSync(join(root, dirname(page), target)))
    expect(missing).toEqual([])
  })

  it('keep the README short', () => {
    const lines = readFileSync(join(root, 'README.md'), 'utf8').split('\n').length
    expect(lines).toBeLessThanOrEqual(200)
  })
})
