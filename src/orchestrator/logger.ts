/** The part of a pino-like logger that is used. */
export interface Logger {
  /** If it is there: a line for each report of progress that was stored. */
  debug?(fields: object, message: string): void
  /** If it is there: a line for each transition, `queue.job.completed` and the like. */
  info?(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Warnings and errors on the console; nothing else. */
export const consoleLogger: Logger = {
  warn: (_fields, message) => { console.warn(`troupe: ${message}`) },
  error: (fields, message) => {
    console.error(`troupe: ${message}`, 'err' in fields ? fields.err : '')
  },
}

/** The same logger, but what it throws is dropped: nobody is left to be told. */
export function safeLogger(logger: Logger): Logger {
  const write = (level: keyof Logger) => (fields: object, message: string): void => {
    try {
      const written: unknown = logger[level]?.(fields, message)
      if (written instanceof Promise) written.catch(() => undefined)
    } catch {
      // A logger that fails must not fail the work that it tells of.
    }
  }
  return {
    ...(logger.debug ? { debug: write('debug') } : {}),
    ...(logger.info ? { info: write('info') } : {}),
    warn: write('warn'),
    error: write('error'),
  }
}
