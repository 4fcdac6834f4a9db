/** What is compared on PostgreSQL, in the order of the tables. `home` says what is kept. */
export const systems = [
  { name: 'troupe-postgres', home: 'result and log kept', packages: ['troupe'] },
  { name: 'graphile-worker', home: 'deleted', packages: ['graphile-worker'] },
  { name: 'pg-boss', home: 'result kept', packages: ['pg-boss'] },
  { name: 'bullmq-postgres', home: 'result and events kept', packages: ['bullmq', 'pg'] },
]
