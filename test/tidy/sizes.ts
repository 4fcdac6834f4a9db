import { posix } from 'node:path'
import ts from 'typescript'
import { lineOf, walk, type Source, type Violation } from './files.ts'

const maxFileLines = 300
const maxFunctionLines = 70
const maxColumns = 100

export function checkSizes({ path, text }: Source): Violation[] {
  const lines = text.replace(/\n$/, '').split('\n')
  const found: Violation[] = lines.flatMap((line, index) => {
    const columns = [...line].length
    if (columns <= maxColumns) return []
    const detail = `${String(columns)} columns, at most ${String(maxColumns)}`
    return [{ file: path, line: index + 1, rule: 'columns', detail }]
  })
  if (lines.length > maxFileLines) {
    const detail = `${String(lines.length)} lines, at most ${String(maxFileLines)}`
    found.push({ file: path, line: maxFileLines + 1, rule: 'file-length', detail })
  }
  return found
}

export function checkFunctions({ path, tree }: Source): Violation[] {
  const found: Violation[] = []
  walk(tree, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || node.body === undefined) return
    const line = lineOf(tree, node.getStart(tree))
    const length = lineOf(tree, node.getEnd()) - line + 1
    if (length <= maxFunctionLines) return
    const name = node.name?.getText(tree) ?? 'a function'
    const detail = `${name}: ${String(length)} lines, at most ${String(maxFunctionLines)}`
    found.push({ file: path, line, rule: 'function-length', detail })
  })
  return found
}

const vagueName = /(?:^|[-.])(?:utils?|helpers?|managers?|types|common)$/
const barrels = new Set(['src/index.ts', 'machines/index.ts'])

export function checkName({ path }: Source): Violation[] {
  const name = posix.basename(path).replace(/\.tsx?$/, '')
  const fault = (rule: string, detail: string): Violation => ({ file: path, line: 1, rule, detail })
  const found: Violation[] = []
  if (vagueName.test(name)) found.push(fault('file-name', `${name} says nothing`))
  if (!/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)) found.push(fault('file-name', 'not kebab-case'))
  if (name === 'index' && !barrels.has(path)) found.push(fault('barrel', 'index.ts is for entries'))
  return found
}

export function checkMarks({ path, text }: Source): Violation[] {
  return text.split('\n').flatMap((line, index) => {
    const mark = /\b(?:TODO|FIXME|XXX)\b/.exec(line)?.[0]
    return mark === undefined ? [] : [{ file: path, line: index + 1, rule: 'mark', detail: mark }]
  })
}
