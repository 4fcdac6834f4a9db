import { appendFileSync, existsSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import type { Job } from 'troupe'

/** Ends when the file `gate` is there; each run leaves a line in `gate`.runs. */
export async function resize({ input, attempt, signal }: Job<{ file: string; gate: string }>) {
  appendFileSync(`${input.gate}.runs`, `attempt ${attempt}\n`)
  while (!existsSync(input.gate)) await setTimeout(20, undefined, { signal })
  return `${input.file}@800`
}
