// A process that works and serves, to be killed: node --import tsx served-jobs.ts DATA PORT
import { createTroupe } from 'troupe'
import type { Job } from 'troupe'
import { createGateway } from 'troupe/gateway'
import { lowdbStore } from 'troupe/stores/lowdb'

const [data = '', port = '0'] = process.argv.slice(2)
const troupe = await createTroupe({ store: lowdbStore(data) })
troupe.queue('work', {
  concurrency: 8,
  // Each kill costs what runs a stall.
  defaults: { maxStalls: 100 },
  tasks: { double: async ({ input }: Job<{ n: number }>) => input.n * 2 },
})
const { url } = await createGateway(troupe).listen({ port: Number(port) })
await troupe.start()
console.log(url)
