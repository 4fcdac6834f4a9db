import { memoryStore } from 'troupe'
import { VirtualEnv } from 'troupe/testing'
import { storeContract } from 'troupe/testing/store'

storeContract('memory', () => {
  const store = memoryStore()
  return { env: new VirtualEnv(), store: () => store }
})
