/** One protection of the product, taken out: `find` in `file` becomes `replace`. */
export interface Mutation {
  readonly name: string
  /** Relative to the root of the repository. */
  readonly file: string
  /** Must occur exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** The tests that should notice: files or folders. */
  readonly tests: readonly string[]
}
