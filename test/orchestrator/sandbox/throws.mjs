class UnrecoverableError extends Error {
  name = 'UnrecoverableError'
}

class BadCard extends Error {
  name = 'BadCard'
  code = 'card-refused'
  onRetry = () => undefined
}

const throws = {
  error: () => { throw new BadCard('no money', { cause: new TypeError('the bank', { cause: 7 }) }) },
  final: () => { throw new UnrecoverableError('never again') },
  text: () => { throw 'only text' },
  object: () => { throw { status: 503 } },
  callable: () => { throw () => 1 },
  report: (job) => { job.progress(Number.NaN) },
}

/** Throws what the input names. */
export default async (job) => { throws[job.input](job) }
