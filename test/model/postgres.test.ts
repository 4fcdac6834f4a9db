import { afterAll, it } from 'vitest'
import { usePostgres } from '../support/postgres/use-postgres.ts'
import { leavePlace, postgresPlace } from './postgres-place.ts'
import { runModel } from '../../src/testing/model/run-model.ts'

const { url, schema } = usePostgres()

afterAll(leavePlace)

it('keeps every promise on a server that all share, whatever is done', async () => {
  const asFound = true
  await runModel((seed) => postgresPlace(url, schema, seed), { times: 10, size: 40, asFound })
}, 300_000)
