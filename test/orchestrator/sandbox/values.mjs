class Point {
  x = 1
}

const cycle = {}
cycle.self = cycle

const values = {
  nothing: () => undefined,
  large: () => ({ text: 'ä'.repeat(500 * 1024), list: [1, null, { deep: true }] }),
  tooLarge: () => 'x'.repeat(1024 * 1024),
  date: () => ({ when: new Date(0) }),
  fn: () => ({ call: () => 1 }),
  point: () => [new Point()],
  cycle: () => cycle,
  bigint: () => 1n,
  symbol: () => Symbol('no'),
}

/** Returns a value of the kind that the input names. */
export default (job) => values[job.input]()
