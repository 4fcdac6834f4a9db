import BetterQueue from 'better-queue'

/** better-queue on its memory store: `push` answers at once, `queued` when the store has it. */
export async function open({ concurrency, handler }) {
  const work = (input, done) => handler(input).then((result) => done(null, result), done)
  const queue = new BetterQueue(work, { concurrent: concurrency, autoResume: false })
  queue.pause()
  return {
    add: (input) => new Promise((resolve) => queue.push(input).once('queued', resolve)),
    addMany: (inputs) =>
      new Promise((resolve) => {
        let missing = inputs.length
        const count = () => --missing === 0 && (queue.off('task_queued', count), resolve())
        queue.on('task_queued', count)
        for (const input of inputs) queue.push(input)
      }),
    start: () => queue.resume(),
    drained: () => new Promise((resolve) => queue.once('drain', resolve)),
    run: (input) =>
      new Promise((resolve, reject) => {
        queue.push(input).once('finish', resolve).once('failed', reject)
      }),
    close: () => new Promise((resolve) => queue.destroy(resolve)),
  }
}
