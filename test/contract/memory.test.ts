import { memoryStore } from '../../src/stores/memory.ts'
import { VirtualEnv } from '../support/virtual-env.ts'
import { storeContract } from './store-contract.ts'

storeContract('memory', () => {
  const store = memoryStore()
  return { env: new VirtualEnv(), store: () => store }
})
