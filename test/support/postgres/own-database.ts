import pg from 'pg'
import { afterAll, beforeAll } from 'vitest'
import { newSchemaName, withClient } from './schemas.ts'

/** A database of the file's own: what others do on the server does not show in it. */
export function useOwnDatabase(serverUrl: string): { readonly url: string } {
  const name = newSchemaName()
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  beforeAll(() => withClient(serverUrl, (client) =>
    client.query(`create database ${pg.escapeIdentifier(name)}`)))
  afterAll(() => withClient(serverUrl, (client) =>
    client.query(`drop database if exists ${pg.escapeIdentifier(name)} with (force)`)))
  return { url: url.href }
}
