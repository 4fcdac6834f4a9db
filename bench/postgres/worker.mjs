/** Another process that works on Troupe's queue: `node worker.mjs URL`, over IPC. */
import { open } from './drivers/troupe-postgres.mjs'

/** `hrtime` counts from one moment in all processes of a machine. */
const handler = async () => ({ startedAt: String(process.hrtime.bigint()) })
const driver = await open({ url: process.argv[2], concurrency: 10, handler })
await driver.start()
process.on('message', async () => {
  await driver.close()
  process.exit(0)
})
process.send('ready')
