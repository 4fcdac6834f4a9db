import { afterAll, inject } from 'vitest'
import { EmbeddedServer } from './embedded.ts'
import { dropSchemas, newSchemaName, withClient } from './schemas.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** The PostgreSQL of this run, for one test file. */
export interface TestPostgres {
  readonly url: string
  /** A schema of this file's own. */
  readonly schema: string
  /** The name of one more; like the first it is dropped when the file has ended. */
  newSchema(): string
}

/**
 * The server of this run and a schema of the file's own. Call once per file, at its top: without
 * a server that throws, and the file fails.
 */
export function usePostgres(): TestPostgres {
  const url = serverUrl()
  const names: string[] = []
  const newSchema = (): string => {
    const name = newSchemaName()
    names.push(name)
    return name
  }
  afterAll(() => withClient(url, (client) => dropSchemas(client, names)))
  return { url, schema: newSchema(), newSchema }
}

function serverUrl(): string {
  const url = inject('postgresUrl')
  if (url) return url
  const fault = inject('postgresFault') ?? 'the global setup of the tests did not run'
  throw new Error(`there is no PostgreSQL for this test: ${fault}`)
}

/** What a test has opened, closed in the end in the opposite order, whatever has happened. */
export interface Ground {
  /** A server of the test's own, with the durability that servers have by default. */
  ownServer(): Promise<EmbeddedServer>
  /** A proxy in front of the server of a URL. */
  proxy(url: string): Promise<TcpProxy>
  onClose(close: () => Promise<unknown>): void
}

/** Call once per file, at its top: what is opened on this ground ends with the file. */
export function useGround(): Ground {
  const closers: (() => Promise<unknown>)[] = []
  afterAll(async () => {
    const faults: unknown[] = []
    for (const close of closers.splice(0).reverse()) {
      await close().catch((error: unknown) => { faults.push(error) })
    }
    if (faults.length > 0) throw new AggregateError(faults, 'not all could be closed')
  }, 60_000)
  const kept = async <T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> => {
    const opened = await opening
    closers.push(() => opened.close())
    return opened
  }
  return {
    ownServer: () => kept(EmbeddedServer.start()),
    proxy: (url) => kept(TcpProxy.open(url)),
    onClose: (close) => { closers.push(close) },
  }
}
