/** The part of a pino-like logger that is used. */
export interface Logger {
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
