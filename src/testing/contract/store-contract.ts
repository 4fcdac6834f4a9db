import { describe } from 'vitest'
import { anySequenceContract } from './any-sequence.ts'
import { applyContract } from './apply.ts'
import { Bench } from './bench.ts'
import type { OpenBench, StoreFactory } from './bench.ts'
import { chartContract } from './chart.ts'
import { claimContract } from './claim.ts'
import { commitContract } from './commit.ts'
import { conditionalContract, workersContract } from './conditional.ts'
import { dependentsContract } from './dependents.ts'
import { dedupeContract } from './dedupe.ts'
import { dedupeBatchContract } from './dedupe-batch.ts'
import { explainContract } from './explain.ts'
import { insertContract } from './insert.ts'
import { limitsContract } from './limits.ts'
import { listingContract } from './listing.ts'
import { logContract } from './log.ts'
import { obliterateContract } from './obliterate.ts'
import { partitionsContract } from './partitions.ts'
import { progressContract } from './progress.ts'
import { readContract } from './read.ts'
import { renewContract } from './renew.ts'
import { reopenContract } from './reopen.ts'
import { restoreContract } from './restore.ts'
import { settingsContract } from './settings.ts'
import { sweepContract } from './sweep.ts'
import { tailContract } from './tail.ts'
import { watchContract } from './watch.ts'
import { windowsContract } from './windows.ts'

const contracts: Readonly<Record<string, (open: OpenBench) => void>> = {
  insert: insertContract,
  'conditional insert': conditionalContract,
  dedupe: dedupeContract,
  'dedupe of many': dedupeBatchContract,
  claim: claimContract,
  limits: limitsContract,
  'windows of a rate': windowsContract,
  partitions: partitionsContract,
  commit: commitContract,
  renew: renewContract,
  workers: workersContract,
  apply: applyContract,
  obliterate: obliterateContract,
  sweep: sweepContract,
  dependents: dependentsContract,
  progress: progressContract,
  read: readContract,
  listing: listingContract,
  explain: explainContract,
  log: logContract,
  tail: tailContract,
  watch: watchContract,
  settings: settingsContract,
  restore: restoreContract,
  reopen: reopenContract,
  chart: chartContract,
  'any sequence': anySequenceContract,
}

/** All that an implementation of the store contract must do. `factory` makes an empty one. */
export function storeContract(name: string, factory: StoreFactory): void {
  describe(`${name} keeps the store contract`, () => {
    for (const [verb, contract] of Object.entries(contracts)) {
      describe(verb, () => { contract(() => Bench.open(factory)) })
    }
  })
}
