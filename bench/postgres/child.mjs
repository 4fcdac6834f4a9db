/** One system, one measure, one process: `node --expose-gc child.mjs '{ system, measure, … }'`. */
import { measures } from './measures.mjs'

const options = JSON.parse(process.argv[2])
const driver = await import(`./drivers/${options.system}.mjs`)
const open = (wish) => driver.open({ url: options.url, ...wish })
const values = await measures[options.measure](open, options)
process.send(values, () => process.exit(0))
