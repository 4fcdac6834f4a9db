/** What the user can put right: the message is shown, and the exit code is 2. */
export class UsageError extends Error {}

export function missingPackage(error: unknown): UsageError {
  return new UsageError(`A package is missing; npm ci may help.\n\n${(error as Error).message}`)
}
