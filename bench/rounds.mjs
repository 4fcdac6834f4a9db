/** Every round runs each measure on all systems side by side, and starts with another system. */
import { fork } from 'node:child_process'

export async function runRounds(suite, { rounds: count, execPath, jobs, dir }) {
  const { systems } = suite
  const rounds = []
  const failures = []
  for (let round = 0; round < count; round++) {
    const results = Object.fromEntries(systems.map(({ name }) => [name, {}]))
    for (const measure of suite.measures) {
      for (let i = 0; i < systems.length; i++) {
        const { name, packages } = systems[(i + round) % systems.length]
        if (suite.ownMeasures.includes(measure) && !packages.includes('troupe')) continue
        process.stderr.write(`round ${round + 1}/${count} ${measure} ${name}: `)
        try {
          const wish = { system: name, measure, jobs, ...suite.sizes }
          results[name][measure] = await runInScene(suite, wish, execPath, dir)
          process.stderr.write(`${describe(results[name][measure])}\n`)
        } catch (error) {
          failures.push(`${name} ${measure}, round ${round + 1}: ${error.message}`)
          process.stderr.write(`FAILED ${error.message}\n`)
        }
      }
    }
    rounds.push(results)
  }
  return { rounds, failures }
}

async function runInScene(suite, wish, execPath, dir) {
  const scene = await suite.scene(dir)
  try {
    return await runChild(suite, { ...wish, ...scene.options }, execPath)
  } finally {
    await scene.clear()
  }
}

function runChild({ child: module, timeoutMs }, options, execPath) {
  const settings = { execPath, execArgv: ['--expose-gc'], timeout: timeoutMs }
  return new Promise((resolve, reject) => {
    const child = fork(module, [JSON.stringify(options)], settings)
    let values
    child.on('message', (message) => (values = message))
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (code === 0 && values) resolve(values)
      else reject(new Error(`the process ended with ${signal ?? `code ${code}`}`))
    })
  })
}

const describe = (values) =>
  Object.entries(values)
    .map(([key, value]) => `${key} ${Number(value.toPrecision(4))}`)
    .join(' ')
