import { it } from 'vitest'
import { lowdbPlace } from './places.ts'
import { runModel } from './run-model.ts'

it('keeps every promise on a file, through stops and power cuts', async () => {
  await runModel(lowdbPlace, { times: 50, size: 60 })
}, 300_000)
