// Starts a server and says where it is; it never ends it.
import { EmbeddedServer } from '../support/postgres/embedded.ts'

const server = await EmbeddedServer.start()
process.send?.(server.url)
setInterval(() => undefined, 1000)
