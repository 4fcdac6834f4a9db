/** One system, one measure, one process: `node --expose-gc child.mjs '{ system, measure, … }'`. */
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { measures } from './measures.mjs'

const options = JSON.parse(process.argv[2])
const driver = await import(`./drivers/${options.system}.mjs`)
const open = (wish) => driver.open({ ...wish, dir: mkdtempSync(join(options.dir, 'run-')) })
const values = await measures[options.measure](open, options)
process.send(values, () => process.exit(0))
