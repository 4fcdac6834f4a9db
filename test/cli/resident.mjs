import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

/**
 * Runs one command line after the other, as the program would, in a process that has started
 * already: a line of JSON with `args` and `env` in, one with what came of it out.
 */
const { runProgram } = await import(pathToFileURL(process.argv[2]).href)
const own = { ...process.env }
const write = {
  stdout: process.stdout.write.bind(process.stdout),
  stderr: process.stderr.write.bind(process.stderr),
}
process.stdout.setMaxListeners(0)
process.stderr.setMaxListeners(0)

for await (const line of createInterface({ input: process.stdin })) {
  const { args, env } = JSON.parse(line)
  process.env = { ...own, ...env }
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) {
    process[name].write = (text, done) => {
      said[name] += text
      if (typeof done === 'function') done()
      return true
    }
  }
  const { exitCode } = await runProgram(args)
  for (const name of ['stdout', 'stderr']) process[name].write = write[name]
  const answer = { code: exitCode, out: said.stdout, errors: said.stderr }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
