import { createInterface } from 'node:readline/promises'
import { styleText } from 'node:util'
import { ReaderGone } from './exit.ts'

type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'blue'
export type Paint = (style: Style, text: string) => string

/** Standard input, output and error of this program. */
export interface Terminal {
  /** Somebody looks at the output, and it may be drawn anew. */
  readonly isScreen: boolean
  /** Somebody is there to answer. */
  readonly canAsk: boolean
  readonly columns: number
  readonly rows: number
  /** Colours, where they are wanted. */
  readonly paint: Paint
  /** Writes to standard output; rejects with `ReaderGone` when nobody reads any more. */
  write(text: string): Promise<void>
  /** A line on standard error. */
  note(text: string): void
  /** Yes or no; no is what everything but a yes means. */
  ask(question: string): Promise<boolean>
  /** All of standard input, line by line. */
  lines(): AsyncIterable<string>
}

export interface TerminalOptions {
  readonly color: boolean
}

export function systemTerminal({ color }: TerminalOptions): Terminal {
  const { stdin, stdout, stderr } = process
  const isScreen = stdout.isTTY && process.env['TERM'] !== 'dumb'
  const paints = color && isScreen && !process.env['NO_COLOR']
  let gone = false
  const listen = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error
    gone = true
  }
  stdout.on('error', listen)
  stderr.on('error', listen)
  return {
    isScreen,
    canAsk: stdin.isTTY && stderr.isTTY,
    get columns() { return stdout.columns || 80 },
    get rows() { return stdout.rows || 24 },
    paint: (style, text) => (paints ? styleText(style, text, { validateStream: false }) : text),
    write: (text) => new Promise((resolve, reject) => {
      if (gone) reject(new ReaderGone())
      else {
        stdout.write(text, (error) => {
          if (!error) resolve()
          else reject('code' in error && error.code === 'EPIPE' ? new ReaderGone() : error)
        })
      }
    }),
    note: (text) => { stderr.write(`${text}\n`) },
    ask: async (question) => {
      const asking = createInterface({ input: stdin, output: stderr })
      try {
        return /^y(es)?$/i.test((await asking.question(`${question} [y/N] `)).trim())
      } finally {
        asking.close()
      }
    },
    lines: () => createInterface({ input: stdin, crlfDelay: Number.POSITIVE_INFINITY }),
  }
}
