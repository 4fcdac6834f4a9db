import PQueue from 'p-queue'

/** p-queue: in memory; a job is a function, its result is the promise that `add` returns. */
export async function open({ concurrency, handler }) {
  const queue = new PQueue({ concurrency, autoStart: false })
  const push = (input) => queue.add(() => handler(input))
  return {
    add: (input) => void push(input),
    addMany: (inputs) => void queue.addAll(inputs.map((input) => () => handler(input))),
    start: () => void queue.start(),
    drained: () => queue.onIdle(),
    run: (input) => push(input),
    close: () => queue.clear(),
  }
}
