import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** A source file, real or planted; `path` is relative to the root, with forward slashes. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly tree: ts.SourceFile
  readonly imports: readonly Import[]
}

export interface Import {
  readonly specifier: string
  readonly line: number
  /** Imported names, as far as they are written down. */
  readonly names: readonly string[]
}

export interface Violation {
  readonly file: string
  readonly line: number
  readonly rule: string
  readonly detail: string
}

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

export function source(path: string, text: string): Source {
  const tree = ts.createSourceFile(
    path, text, ts.ScriptTarget.ES2023, true,
    path.endsWith('.tsx') ? ts.ScriptKind.TSX : ts.ScriptKind.TS,
  )
  return { path, text, tree, imports: importsOf(tree) }
}

/** Every TypeScript file below the given folders of the repository, committed or not. */
export function readSources(folders: readonly string[]): Source[] {
  return folders.flatMap((folder) => listFiles(folder)).map((path) => {
    return source(path, readFileSync(join(root, path), 'utf8'))
  })
}

const skipped = new Set(['node_modules', 'dist', 'data', 'output'])
/** What Vite reads has a form of its own. */
const foreign = new Set(['src/dashboard/vite.config.ts'])

function listFiles(folder: string): string[] {
  let entries
  try {
    entries = readdirSync(join(root, folder), { withFileTypes: true })
  } catch {
    return [] // a folder that nobody has made yet
  }
  return entries.flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : listFiles(path)
    return entry.isFile() && /\.tsx?$/.test(path) && !foreign.has(path) ? [path] : []
  })
}

export function lineOf(tree: ts.SourceFile, position: number): number {
  return tree.getLineAndCharacterOfPosition(position).line + 1
}

export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, (child) => {
    walk(child, visit)
  })
}

/** Static, dynamic and type imports, and `export … from`. */
function importsOf(tree: ts.SourceFile): Import[] {
  const found: Import[] = []
  walk(tree, (node) => {
    const literal = specifierOf(node)
    if (literal === undefined) return
    const line = lineOf(tree, node.getStart(tree))
    found.push({ specifier: literal.text, line, names: namesOf(node) })
  })
  return found
}

function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
    return literal(node.moduleSpecifier)
  }
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
    return literal(node.argument.literal)
  }
  if (ts.isCallExpression(node)) {
    const { expression } = node
    const loads =
      expression.kind === ts.SyntaxKind.ImportKeyword ||
      (ts.isIdentifier(expression) && expression.text === 'require')
    return loads ? literal(node.arguments[0]) : undefined
  }
  return undefined
}

function literal(node: ts.Node | undefined): ts.StringLiteralLike | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node : undefined
}

function namesOf(node: ts.Node): string[] {
  if (!ts.isImportDeclaration(node)) return []
  const bindings = node.importClause?.namedBindings
  if (bindings === undefined || !ts.isNamedImports(bindings)) return []
  return bindings.elements.map((element) => (element.propertyName ?? element.name).text)
}

/** The path that a relative import means, or undefined for a package. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  return posix.join(posix.dirname(from), specifier)
}

export function print(violation: Violation): string {
  return `${violation.file}:${String(violation.line)} ${violation.rule} ${violation.detail}`
}
