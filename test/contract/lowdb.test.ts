import { lowdbStore } from '../../src/stores/lowdb/store.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { VirtualEnv } from '../support/virtual-env.ts'
import { storeContract } from './store-contract.ts'

storeContract('lowdb', () => {
  const env = new VirtualEnv({ disk: new MemoryDisk() })
  return { env, store: () => lowdbStore('/data/jobs.json') }
})
