import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { chartSections } from '../../scripts/chart-sections.ts'
import { createProgram } from '../../src/cli/program.ts'
import { useCommandLine } from './command-line.ts'

const { troupe, inShell, at } = await useCommandLine()
const page = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8')

function below(command: Command): readonly (readonly string[])[] {
  return command.commands.flatMap((child) =>
    [[child.name()], ...below(child).map((path) => [child.name(), ...path])])
}
const commands = below(createProgram().program)

test('the table of the docs is what the program says of its commands', () => {
  const rows = createProgram().program.commands
    .map((command) => `| \`troupe ${command.name()}\` | ${command.description()} |`)
  const table = /<!-- commands: .*-->\n(.*?)<!-- end of commands -->/s.exec(page)?.[1]
  expect(table).toBe(['| command | what it does |', '|---|---|', ...rows, ''].join('\n'))
})

test('each command explains itself, with an example that the program understands', async () => {
  const lines = [...page.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) => examples(block))
  for (const path of commands) {
    const { code, out, errors } = await troupe([...path, '--help'])
    expect({ code, errors }, path.join(' ')).toEqual({ code: 0, errors: '' })
    expect(out).toContain('--json')
    const own = examples(out)
    expect(own.join('\n'), out).toContain(`troupe ${path.join(' ')}`)
    lines.push(...own)
  }
  for (const [command] of commands.filter((path) => path.length === 1)) {
    expect(lines.filter((line) => line.includes(`troupe ${command ?? ''}`)).length, command)
      .toBeGreaterThan(1) // in the docs and in its help
  }
  for (const args of await parsed(lines)) {
    const { program } = createProgram()
    silence(program)
    await expect(program.parseAsync(args, { from: 'user' }), args.join(' ')).resolves.toBeDefined()
  }
})

function examples(text: string | undefined): string[] {
  return (text ?? '').split('\n').map((line) => line.trim())
    .filter((line) => /(^|[( ])troupe [a-z]/.test(line) && !line.startsWith('Usage'))
}

/** The arguments that a shell makes of these lines. */
async function parsed(lines: readonly string[]): Promise<string[][]> {
  await writeFile(at('jobs.jsonl'), '')
  const { errors } = await inShell([
    `troupe() { { printf '%s\\x1f' "$@"; echo; } >> parsed; }`,
    'jq() { :; }', 'source() { cat "${1:-/dev/stdin}"; }', ...lines,
  ].join('\n'))
  expect(errors).toBe('')
  const text = await readFile(at('parsed'), 'utf8')
  return text.split('\n').filter((line) => line !== '')
    .map((line) => line.split('\x1f').slice(0, -1))
}

/** It reads its arguments and does nothing. */
function silence(command: Command): void {
  if (command.commands.length === 0) command.action(() => undefined)
  for (const child of command.commands) silence(child)
}

test('the exit codes of the docs are those of the program', async () => {
  const rows = [...page.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code))
  const { exitCodes } = await import('../../src/cli/exit.ts')
  expect(rows).toEqual(Object.values(exitCodes))
})

test('chart prints the diagrams of the concepts page', async () => {
  for (const machine of ['job', 'queue']) {
    const { code, out } = await troupe(['chart', machine])
    expect(code).toBe(0)
    expect(chartSections().get(`${machine}-chart`)).toBe(`\`\`\`mermaid\n${out}\`\`\``)
  }
  const { out } = await troupe(['chart', '--json'])
  expect(JSON.parse(out)).toMatchObject({ machine: 'job', format: 'mermaid' })
})

test('bash completes commands and options from the script', async () => {
  const complete = (words: string) => `
    COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]}-1)); COMPREPLY=(); _troupe
    echo "\${COMPREPLY[@]}"`
  const { out, errors } = await inShell([
    'source <(troupe completions bash)',
    complete('troupe wo'), complete('troupe schedules p'), complete('troupe list --st'),
    complete('troupe list --state failed --js'),
  ].join('\n'))
  expect(errors).toBe('')
  expect(out).toBe('work workers\npreview pause\n--state --store\n--json\n')
  for (const [shell, word] of [['zsh', 'compdef _troupe troupe'], ['fish', '-a watch']] as const) {
    const script = (await troupe(['completions', shell])).out
    expect(script).toContain(word)
    for (const [name] of commands) expect(script).toContain(name)
  }
})
