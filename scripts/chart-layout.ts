import { writeFile } from 'node:fs/promises'
import { geometryFile } from './chart-compile.ts'

/** Writes the coordinates of the charts into src/gateway/fleet/geometry.json. */
const file = new URL('../src/gateway/fleet/geometry.json', import.meta.url)
await writeFile(file, geometryFile())
console.log('src/gateway/fleet/geometry.json was written')
