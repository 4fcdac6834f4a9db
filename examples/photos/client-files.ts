import { readFile } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The modules of `troupe/client` by their path below `/client/`, and where the page begins. */
export interface ClientFiles {
  readonly entry: string
  readonly files: ReadonlyMap<string, string>
}

const importOf = /^(?:import|export)\b[^'"]*?from ['"](\.[^'"]+)['"]/gm

/** Follows the imports of the client, and finds all that a browser has to load: no bundler. */
export async function loadClientFiles(): Promise<ClientFiles> {
  const entry = fileURLToPath(import.meta.resolve('troupe/client'))
  const found = new Map<string, string>()
  const open = [entry]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (found.has(file)) continue
    const text = await readModule(file)
    found.set(file, text)
    for (const [, path = ''] of text.matchAll(importOf)) open.push(join(dirname(file), path))
  }
  const root = commonFolder([...found.keys()])
  const toPath = (file: string): string => relative(root, file).split(sep).join('/')
  return {
    entry: toPath(entry),
    files: new Map([...found].map(([file, text]) => [toPath(file), text])),
  }
}

/** The package has JavaScript; run from its sources, as its tests are, types have to go first. */
async function readModule(file: string): Promise<string> {
  const text = await readFile(file, 'utf8')
  if (!file.endsWith('.ts')) return text.replace(/^\/\/# sourceMappingURL=.*$/m, '')
  const { default: ts } = await import('typescript')
  const { outputText } = ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true,
    },
  })
  return outputText
}

function commonFolder(files: readonly string[]): string {
  let folder = dirname(files[0] ?? '')
  while (!files.every((file) => file.startsWith(`${folder}${sep}`))) folder = dirname(folder)
  return folder
}
