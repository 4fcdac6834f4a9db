import fastq from 'fastq'

/** fastq, promise flavour: in memory; the result is the promise that `push` returns. */
export async function open({ concurrency, handler }) {
  const queue = fastq.promise(handler, concurrency)
  queue.pause()
  return {
    add: (input) => void queue.push(input),
    addMany: (inputs) => {
      for (const input of inputs) void queue.push(input)
    },
    start: () => queue.resume(),
    drained: () => queue.drained(),
    run: (input) => queue.push(input),
    close: () => queue.kill(),
  }
}
