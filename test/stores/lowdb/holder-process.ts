import { systemEnv } from '../../../src/env.ts'
import { lowdbStore } from '../../../src/stores/lowdb/store.ts'
import { newJob } from '../../../src/testing/records.ts'

/** Another process for the tests of the lock: opens the file, says so, and holds it. */
async function main(path: string): Promise<void> {
  const store = lowdbStore(path)
  await store.open({ env: systemEnv, report: () => undefined })
  await store.insert([newJob({ id: 'of the other process' })])
  process.stdout.write('open\n')
  process.stdin.on('end', () => { void store.close() }).resume()
}

await main(process.argv[2] ?? '')
