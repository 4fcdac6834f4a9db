import type { Command } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const

/** A word that can follow, and what it is for. */
interface Word {
  readonly text: string
  readonly help: string
}

/** What can follow a command: `path` is `schedules list` or the like, empty for the program. */
interface Place {
  readonly path: readonly string[]
  readonly words: readonly Word[]
}

/** A script for the shell, made from the program as it is. */
export function completionScript(program: Command, shell: (typeof shells)[number]): string {
  const places = placesOf(program, [], optionsOf(program))
  return { bash, zsh, fish }[shell](places)
}

function placesOf(command: Command, path: readonly string[], globals: readonly Word[]): Place[] {
  const children = command.commands
  const words = children.map((child) => ({ text: child.name(), help: child.description() }))
  const options = path.length === 0 ? [] : optionsOf(command)
  return [
    { path, words: [...words, ...options, ...globals] },
    ...children.flatMap((child) => placesOf(child, [...path, child.name()], globals)),
  ]
}

function optionsOf(command: Command): readonly Word[] {
  const own = command.options
    .flatMap(({ long, description }) => (long ? [{ text: long, help: description }] : []))
  return [...own, { text: '--help', help: 'Show help.' }]
}

/** All commands, as a pattern of `case`. */
function patternOf(places: readonly Place[]): string {
  return places.filter(({ path }) => path.length > 0)
    .map(({ path }) => `'${path.join(' ')}'`).join('|')
}

const textsOf = (words: readonly Word[]): string => words.map(({ text }) => text).join(' ')

function bash(places: readonly Place[]): string {
  const cases = places.map(({ path, words }) =>
    `    '${path.join(' ')}') words='${textsOf(words)}' ;;`)
  return `# troupe completions bash: put it in your .bashrc as
#   source <(troupe completions bash)
_troupe() {
  local current="\${COMP_WORDS[COMP_CWORD]}" place='' word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${place:+$place }$word" in
      ${patternOf(places)}) place="\${place:+$place }$word" ;;
    esac
  done
  case "$place" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _troupe troupe`
}

function zsh(places: readonly Place[]): string {
  const cases = places.map(({ path, words }) => {
    const entries = words.map(({ text, help }) => `      ${quoted(`${text}:${help}`)}`)
    return `    '${path.join(' ')}') entries=(\n${entries.join('\n')}\n    ) ;;`
  })
  return `#compdef troupe
# troupe completions zsh: put it in your .zshrc, behind compinit, as
#   source <(troupe completions zsh)
_troupe() {
  local place='' word
  local -a entries
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "\${place:+$place }$word" in
      ${patternOf(places)}) place="\${place:+$place }$word" ;;
    esac
  done
  case "$place" in
${cases.join('\n')}
  esac
  _describe troupe entries || _files
}
compdef _troupe troupe`
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, words }) => {
    const seen = path.map((name) => `__fish_seen_subcommand_from ${name}`)
    const condition = path.length === 0 ? '__fish_use_subcommand' : seen.join('; and ')
    return words.map(({ text, help }) => {
      const word = text.startsWith('--') ? `-l ${text.slice(2)}` : `-a ${text}`
      return `complete -c troupe -n ${quoted(condition)} ${word} -d ${quoted(help)}`
    })
  })
  return `# troupe completions fish: put it in ~/.config/fish/config.fish as
#   troupe completions fish | source
${lines.join('\n')}`
}

function quoted(text: string): string {
  return `'${text.replaceAll(/['\\]/g, (char) => (char === "'" ? `'"'"'` : '\\\\'))}'`
}
