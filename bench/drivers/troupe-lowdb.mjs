import { join } from 'node:path'
import { lowdbStore } from 'troupe/stores/lowdb'
import { openOn } from './troupe.mjs'

/** Troupe on a lowdb file, durable, with default settings. */
export const open = (options) => openOn(lowdbStore(join(options.dir, 'jobs.json')), options)
