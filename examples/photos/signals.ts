/**
 * Calls `stop` on Ctrl-C, or when the process is asked to end. The next time it ends at once. With
 * npm between terminal and process each Ctrl-C comes twice within moments: that counts as once.
 */
export function onStop(stop: () => void): void {
  let firstAt: number | null = null
  const hear = (): void => {
    if (firstAt === null) {
      firstAt = performance.now()
      stop()
    } else if (performance.now() - firstAt > 500) {
      process.exit(130)
    }
  }
  process.on('SIGINT', hear).on('SIGTERM', hear)
}
