/**
 * Two sets of systems that are measured apart. A suite has systems, measures, a child module that
 * runs one measure, `prepare()` (what to say of the place, or why it cannot be measured), and
 * `scene(dir)`, which makes a fresh place for one measure.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { measures, ownMeasures } from './measures.mjs'
import { measures as postgresMeasures, ownMeasures as postgresOwn } from './postgres/measures.mjs'
import { node24, versionOfNode24 } from './postgres/node24.mjs'
import { report as postgresReport } from './postgres/report.mjs'
import { createDatabase, dropDatabase, serverFacts } from './postgres/server.mjs'
import { systems as postgresSystems } from './postgres/systems.mjs'
import { report } from './report.mjs'
import { systems } from './systems.mjs'

const inFolder = (path) => fileURLToPath(new URL(path, import.meta.url))

const embedded = {
  name: 'embedded',
  mark: 'bench',
  systems,
  measures: Object.keys(measures),
  ownMeasures,
  sizes: { samples: 500, heapJobs: 100_000 },
  built: inFolder('node_modules/troupe/dist'),
  child: inFolder('child.mjs'),
  timeoutMs: 180_000,
  report,
  prepare: () => ({ execPath: process.execPath, nodeVersion: process.version, facts: [] }),
  scene: (dir) => {
    const data = mkdtempSync(join(dir, 'data-'))
    return { options: { dir: data }, clear: () => rmSync(data, { recursive: true, force: true }) }
  },
}

const postgres = {
  name: 'postgres',
  mark: 'postgres',
  systems: postgresSystems,
  measures: Object.keys(postgresMeasures),
  ownMeasures: postgresOwn,
  sizes: { samples: 200, idleSeconds: 10, deadRows: 1_000_000 },
  built: inFolder('postgres/node_modules/troupe/dist'),
  child: inFolder('postgres/child.mjs'),
  timeoutMs: 300_000,
  report: postgresReport,
  prepare: async () => {
    try {
      const facts = [await serverFacts()]
      return { execPath: node24, nodeVersion: versionOfNode24(), facts }
    } catch (error) {
      return { missing: error.message || error.code || String(error) }
    }
  },
  scene: async () => {
    const { name, url } = await createDatabase()
    return { options: { url }, clear: () => dropDatabase(name) }
  },
}

export const suites = [embedded, postgres]
