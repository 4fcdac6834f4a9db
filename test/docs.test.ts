import {
  existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { chartSections, replaceSections } from '../scripts/chart-sections.ts'
import { appOf, blocksOf, root, runProgram, tsconfig } from './docs/blocks.ts'
import { newSchemaName, withClient } from './support/postgres/schemas.ts'

const scratch = join(root, '.cache', `docs-${process.pid}`)
const pages = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...markdownBelow('docs')]

interface Program {
  /** Page and line, so that a failure says where to look. */
  readonly name: string
  readonly file: string
  readonly code: string
}

function markdownBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md')).map((name) => join(folder, name)).sort()
}

function programsOf(page: string): Program[] {
  return blocksOf(page).filter(({ file }) => file === null).map(({ line, code }) => {
    const file = join(scratch, `${page.replaceAll(/\W/g, '-')}-${line}.ts`)
    return { name: `${page}:${line}`, file, code }
  })
}

const programs = pages.flatMap(programsOf)
mkdirSync(scratch, { recursive: true })
for (const { file, code } of programs) writeFileSync(file, `${code}\nexport {}\n`)
afterAll(() => { rmSync(scratch, { recursive: true, force: true }) })

/** The files of apps that pages describe, written down as Node would read them. */
function writeApps(): string[] {
  const write = (page: string, name: string, code: string): string => {
    const file = join(scratch, page.replaceAll(/\W/g, '-'), name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, code.replaceAll(/'(\.\.?\/[^']+)'/g, "'$1.ts'")) // a bundler finds them
    return file
  }
  const resize = readFileSync(join(root, 'test/examples/next/resize.ts'), 'utf8')
  write('docs/gateway.md', 'resize.ts', resize)
  return pages.flatMap((page) =>
    [...appOf(page)].map(([name, code]) => write(page, name, `${code}\nexport {}\n`)))
}

/** A database that is there while `work` goes on. */
async function withDatabase(work: (url: string) => Promise<void>): Promise<void> {
  const server = inject('postgresUrl')
  if (!server) throw new Error(`no PostgreSQL: ${inject('postgresFault') ?? 'not looked for'}`)
  const url = new URL(server)
  const name = newSchemaName()
  url.pathname = `/${name}`
  await withClient(server, (client) => client.query(`create database ${name}`))
  try {
    await work(url.href)
  } finally {
    await withClient(server, (client) => client.query(`drop database ${name} with (force)`))
  }
}

describe('the code in the docs', () => {
  it.each(programs)('of $name runs', async ({ file, code }) => {
    if (!code.includes('DATABASE_URL')) return void await runProgram(file)
    return withDatabase(async (url) => void await runProgram(file, { DATABASE_URL: url }))
  }, 70_000)

  it('compiles under strict', () => {
    const config = ts.readConfigFile(tsconfig, (path) => ts.sys.readFile(path))
    const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root)
    const files = [...programs.map(({ file }) => file), ...writeApps()]
    const program = ts.createProgram(files, options)
    const problems = ts.getPreEmitDiagnostics(program).map((problem) => {
      const page = relative(scratch, problem.file?.fileName ?? '')
      return `${page}: ${ts.flattenDiagnosticMessageText(problem.messageText, ' ')}`
    })
    expect(problems).toEqual([])
  }, 180_000)
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
