import { createTroupe } from 'troupe'

/** Troupe on the store that is given; `drained` counts with one subscriber on `transitions$`. */
export async function openOn(store, { concurrency, handler, retention = {} }) {
  const troupe = await createTroupe(store ? { store } : {})
  const queue = troupe.queue('bench', {
    concurrency,
    retention,
    tasks: { work: (job) => handler(job.input) },
  })
  let added = 0
  const specOf = (input) => ({ task: 'work', input })
  return {
    add: async (input) => {
      added++
      await queue.add('work', input)
    },
    addMany: async (inputs) => {
      added += inputs.length
      await queue.addMany(inputs.map(specOf))
    },
    /** A job that others of the same key are the same work as. */
    addKeyed: async (input, key) => {
      await queue.add('work', input, { dedupe: { key, mode: 'simple' } })
    },
    addManyKeyed: async (keys) => {
      const mode = 'simple'
      await queue.addMany(keys.map((key) => ({ ...specOf(null), dedupe: { key, mode } })))
    },
    start: () => troupe.start(),
    drained: () => completed(queue, added),
    run: async (input) => (await queue.add('work', input)).result(),
    /** Follows the records of so many other jobs, which wait for an hour. */
    follow: async (count) => {
      for (let done = 0; done < count; done += 1000) {
        const length = Math.min(1000, count - done)
        const specs = Array.from({ length }, () => ({ ...specOf(null), delay: '1h' }))
        for (const handle of await queue.addMany(specs)) handle.record$.subscribe()
      }
    },
    /** Resolves when retention has had its turn. */
    swept: () => new Promise((resolve) => setTimeout(resolve, 1500)),
    close: () => troupe.stop(),
  }
}

/** Resolves when the subscriber has seen `count` jobs complete, which is after their commit. */
function completed(queue, count) {
  return new Promise((resolve, reject) => {
    let missing = count
    const subscription = queue.transitions$.subscribe({
      next: ({ to, jobId, reason }) => {
        if (to === 'failed' || to === 'cancelled') reject(new Error(`${jobId} ${to}: ${reason}`))
        if (to !== 'completed' || --missing > 0) return
        subscription.unsubscribe()
        resolve()
      },
      error: reject,
    })
  })
}
