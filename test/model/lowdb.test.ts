import { storeModel } from 'troupe/testing/store'
import { lowdbPlace } from './places.ts'

storeModel('lowdb', lowdbPlace)
