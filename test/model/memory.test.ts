import { memoryPlace, storeModel } from 'troupe/testing/store'

storeModel('memory', memoryPlace, { times: 100 })
