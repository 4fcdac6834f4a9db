/** Options of `postgresStore`. */
export interface PostgresOptions {
  /** The schema of the tables: up to 50 lower-case letters, digits and `_`. Default `troupe`. */
  readonly schema?: string
  /** Make and update the tables when the store is opened. Default true. */
  readonly migrate?: boolean
  /** Connections of the store's own pool, besides the one that listens. Default 10. */
  readonly maxConnections?: number
  /**
   * Whose clock counts. `'database'`: the server's, for all processes alike. `'process'`: this
   * process's; for tests with virtual time, in which all share one clock. Default `'database'`.
   */
  readonly clock?: 'database' | 'process'
}
