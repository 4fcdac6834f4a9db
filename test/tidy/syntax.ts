import ts from 'typescript'
import { lineOf, walk, type Source, type Violation } from './files.ts'

/** `src/env.ts` is the only door to all of this in Node; pages have doors of their own. */
const env = 'src/env.ts'
const doors = new Set([env, 'src/client/client-env.ts', 'src/dashboard/page-env.ts'])
/** What computes and knows no time: hashes, comparison of secrets. */
const secrets = 'src/gateway/secrets.ts'
/** Files that are not a store's: modules, inputs and exports of a user, pages of the package. */
const reads = /^src\/(?:cli\/|gateway\/dashboard-pages\.ts$|stores\/lowdb\/disk\.ts$)/

const bannedGlobals = new Set([
  'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate',
  'performance', 'crypto',
])
const bannedMembers = new Set([
  'Date.now', 'Math.random', 'process.hrtime', 'process.uptime', 'AbortSignal.timeout',
])
const bannedModules = /^(?:node:)?(?:fs|crypto|timers|perf_hooks)(?:\/promises)?$/
const diskModules = /^(?:node:)?fs(?:\/promises)?$/
/** Operators of RxJS that bring a clock of their own. */
const bannedOperators = new Set([
  'timer', 'interval', 'delay', 'debounceTime', 'throttleTime', 'auditTime', 'sampleTime',
  'bufferTime', 'windowTime', 'timeout', 'timeInterval', 'timestamp',
])

export function checkGlobals({ path, tree, imports }: Source): Violation[] {
  if (doors.has(path)) return []
  const found: Violation[] = []
  const ban = (line: number, detail: string): void => {
    found.push({ file: path, line, rule: 'global', detail: `${detail}: go through ${env}` })
  }
  for (const { specifier, line, names } of imports) {
    const isAllowed = (reads.test(path) && diskModules.test(specifier)) ||
      (path === secrets && specifier === 'node:crypto')
    if (bannedModules.test(specifier) && !isAllowed) ban(line, specifier)
    if (specifier !== 'rxjs' && specifier !== 'rxjs/operators') continue
    for (const name of names) if (bannedOperators.has(name)) ban(line, `rxjs ${name}`)
  }
  const declared = declaredNames(tree)
  walk(tree, (node) => {
    const name = bannedUse(node, declared)
    if (name !== undefined) ban(lineOf(tree, node.getStart(tree)), name)
  })
  return found
}

/** Names that the file declares itself, such as a parameter `setTimeout` of a door. */
function declaredNames(tree: ts.SourceFile): ReadonlySet<string> {
  const names = new Set<string>()
  walk(tree, (node) => {
    const binds =
      ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node) ||
      ts.isImportSpecifier(node) || ts.isFunctionDeclaration(node)
    if (binds && node.name !== undefined && ts.isIdentifier(node.name)) names.add(node.name.text)
  })
  return names
}

function bannedUse(node: ts.Node, declared: ReadonlySet<string>): string | undefined {
  if (ts.isNewExpression(node) || ts.isCallExpression(node)) {
    const noDate = ts.isCallExpression(node) || (node.arguments?.length ?? 0) === 0
    return noDate && globalName(node.expression) === 'Date' ? 'the current Date' : undefined
  }
  if (ts.isPropertyAccessExpression(node)) {
    const object = globalName(node.expression)
    if (object === 'globalThis' && bannedGlobals.has(node.name.text)) return node.name.text
    const member = `${object ?? ''}.${node.name.text}`
    return bannedMembers.has(member) ? member : undefined
  }
  if (!ts.isIdentifier(node) || !bannedGlobals.has(node.text)) return undefined
  return declared.has(node.text) || !isValueUse(node) ? undefined : node.text
}

/** `Date` for `Date` and for `globalThis.Date`. */
function globalName(node: ts.Expression): string | undefined {
  if (ts.isIdentifier(node)) return node.text
  const ofGlobal =
    ts.isPropertyAccessExpression(node) &&
    ts.isIdentifier(node.expression) &&
    node.expression.text === 'globalThis'
  return ofGlobal ? node.name.text : undefined
}

/** Not the name of a member, of a property, of a label, and nothing of the type level. */
function isValueUse(node: ts.Identifier): boolean {
  const { parent } = node
  if (ts.isShorthandPropertyAssignment(parent)) return true
  if (ts.isQualifiedName(parent) || ts.isTypeNode(parent)) return false
  return !('name' in parent && parent.name === node)
}

export function checkDeclarations({ path, tree }: Source): Violation[] {
  const found: Violation[] = []
  walk(tree, (node) => {
    const add = (rule: string, detail: string): void => {
      found.push({ file: path, line: lineOf(tree, node.getStart(tree)), rule, detail })
    }
    if (ts.isEnumDeclaration(node)) add('enum', node.name.text)
    if (ts.isExportAssignment(node)) add('default-export', 'name what you export')
    if (ts.isExportSpecifier(node) && node.name.text === 'default') {
      add('default-export', 'name what you export')
    }
    const modifiers = ts.canHaveModifiers(node) ? (ts.getModifiers(node) ?? []) : []
    if (modifiers.some((modifier) => modifier.kind === ts.SyntaxKind.DefaultKeyword)) {
      add('default-export', 'name what you export')
    }
  })
  return found
}
