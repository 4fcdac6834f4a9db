import { createTroupe } from 'troupe'
import type { Job } from 'troupe'
import { expect, test } from 'vitest'
import { lowdbPlace } from '../model/places.ts'
import type { Process } from '../model/places.ts'

const logger = { warn: () => undefined, error: () => undefined }

/** One life of the process that works on the graph; `fail` in its second life succeeds. */
async function live({ store, env }: Process, life: number, ended: string[]) {
  const troupe = await createTroupe({ store, env, logger })
  const queue = troupe.queue('q', {
    tasks: {
      work: (job: Job) => {
        if (job.id === 'bad' && life === 1) throw new Error('in the first life')
        ended.push(job.id)
      },
    },
  })
  return { troupe, queue }
}

const graph = [
  { id: 'top', dependsOn: ['left', 'right'] }, { id: 'left', dependsOn: ['root'] },
  { id: 'right', dependsOn: ['root'] }, { id: 'root' }, { id: 'bad' },
  { id: 'falls', dependsOn: ['bad', 'left'] }, { id: 'deep', dependsOn: ['falls'] },
  { id: 'waits', dependsOn: ['bad'], onParentFailure: 'wait' },
  { id: 'runs', dependsOn: ['bad', 'top'], onParentFailure: 'run' },
] as const

test('a power cut at any write of a graph leaves nobody stranded', async () => {
  let whole = 0
  for (let cut = 1; whole < 3; cut += 1) {
    const place = lowdbPlace(cut)
    const first = place.start()
    place.cutAt(cut)
    const added: string[] = []
    const working = live(first, 1, added).then(async ({ troupe, queue }) => {
      await troupe.start()
      await queue.addMany(graph.map((job) => ({ task: 'work' as const, ...job })))
    })
    working.catch(() => undefined)
    await place.clock.advance(100)
    if (!first.life.dead) whole += 1
    place.crash(first)

    const ended: string[] = []
    const opening = live(place.start(), 2, ended)
    await place.clock.advance(100)
    const { troupe, queue } = await opening
    await troupe.start()
    await place.clock.advance(5000)
    const { jobs } = await queue.list()
    const states = new Map(jobs.map(({ id, phase, state }) => [id, phase ?? state]))
    // The failure was stored, or not: then the job ran in the second life.
    const well = states.get('bad') === 'completed'
    expect(Object.fromEntries(states), `cut ${cut}`).toEqual(jobs.length === 0 ? {} : {
      root: 'completed', left: 'completed', right: 'completed', top: 'completed',
      runs: 'completed', bad: well ? 'completed' : 'failed',
      falls: well ? 'completed' : 'failed', deep: well ? 'completed' : 'failed',
      waits: well ? 'completed' : 'blocked',
    })
    if (jobs.length > 0 && !well) {
      for (const id of ['bad', 'falls', 'deep']) expect(await queue.retry(id)).toBe('retried')
      await place.clock.advance(5000)
      expect(await queue.counts()).toMatchObject({ completed: graph.length })
      expect(ended.indexOf('bad')).toBeLessThan(ended.indexOf('falls'))
      expect(ended.indexOf('falls')).toBeLessThan(ended.indexOf('deep'))
    }
    const stopping = troupe.stop()
    await place.clock.advance(100)
    await stopping
  }
})
