import { it } from 'vitest'
import { memoryPlace } from './places.ts'
import { runModel } from './run-model.ts'

it('keeps every promise in memory, whatever is done', async () => {
  await runModel(memoryPlace, { times: 100, size: 60 })
}, 300_000)
