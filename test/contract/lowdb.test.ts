import { lowdbStore } from 'troupe/stores/lowdb'
import { MemoryDisk, VirtualEnv } from 'troupe/testing'
import { storeContract } from 'troupe/testing/store'

storeContract('lowdb', () => {
  const env = new VirtualEnv({ disk: new MemoryDisk() })
  return { env, store: () => lowdbStore('/data/jobs.json') }
})
