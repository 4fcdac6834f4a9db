/** What is compared, in the order of the tables. `home` says where a queued job lives. */
export const systems = [
  { name: 'troupe-memory', home: 'memory', packages: ['troupe'] },
  { name: 'better-queue', home: 'memory', packages: ['better-queue'] },
  { name: 'p-queue', home: 'memory', packages: ['p-queue'] },
  { name: 'fastq', home: 'memory', packages: ['fastq'] },
  { name: 'troupe-lowdb', home: 'file, every commit synced', packages: ['troupe'] },
  { name: 'plainjob', home: 'SQLite file', packages: ['plainjob', 'better-sqlite3'] },
]
