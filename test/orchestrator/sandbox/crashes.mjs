const crashes = {
  exit: () => process.exit(3),
  timer: () => { setTimeout(() => { throw new RangeError('in a timer') }, 1) },
  rejection: () => { void Promise.reject(new RangeError('nobody waits')) },
  memory: () => {
    const kept = []
    for (;;) kept.push({ text: `a string of its own: ${kept.length}` })
  },
}

/** Ends its thread at the first attempt, in the way that the input names. */
export default async (job) => {
  if (job.attempt > 1) return 'the second time'
  job.log('before the crash')
  job.log('just before the crash')
  crashes[job.input]()
  await new Promise(() => undefined)
}
