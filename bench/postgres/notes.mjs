/** What a reader must know before comparing two rows. */
export const notes = [
  'Each measure has a database of its own on one server, with the server’s own ' +
    'durability. All clients go through pg with at most ten connections, on Node 24, on the ' +
    'same machine as the server: client and server share its cores.',
  'Drain: the jobs are all queued and the tables analysed before the clock starts; it ' +
    'stops when the system’s own tables hold no unfinished job. Handlers do nothing and ' +
    'return a small object. CPU is that of the client process.',
  'Troupe: its own settings. Inputs, results, a timeline for each job and a numbered log ' +
    'of all transitions are kept; every claim has a fence, every end is a compare-and-set ' +
    'on it.',
  'graphile-worker: `localQueue.size` 500, `completeJobBatchDelay` 0, `failJobBatchDelay` ' +
    '0. A done job is deleted, what its handler returned is dropped, and a worker ends a ' +
    'job by its id, whoever holds it by then.',
  'pg-boss: four workers with `batchSize` 500, `burstWhenBatchFull`, `perJobResults` and ' +
    'NOTIFY. A batch is given to the handler as one, so 10 and 100 at once are the same ' +
    'set-up. Results are kept; a job is ended by its id.',
  'BullMQ on `createPostgresBackend`, its own settings: done jobs, results and events are ' +
    'kept; each job is claimed and ended by a statement of its own.',
  'Single adds are awaited one by one; pipelined ones a thousand at a time ' +
    '(`Promise.all`), for three seconds each; bulk adds are chunks of 1,000 by `addMany`, ' +
    '`addJobs`, `insert` and `addBulk`.',
  'Latency: concurrency 10, 200 jobs one at a time on an idle system, 20 to 50 ms apart, ' +
    'the worker in the process that adds. Done is when the system’s table says so, asked ' +
    'again and again on a connection of its own. In another process, done is when ' +
    '`result()` resolves for the one who added.',
  'Idle: statements that pass a counting proxy in ten seconds, from one started process ' +
    'that has nothing to do, its listener included.',
  'Dead rows: a transaction in REPEATABLE READ has read the job table and stays open; ' +
    'then a million copies of a queued job are inserted and deleted with plain SQL, so that ' +
    'no vacuum may take them; then the drain, for at most a minute.',
  'Bytes: all tables and indexes of the system, before and after 20,000 jobs with a ' +
    'payload of about 90 bytes were queued in bulk, divided by 20,000.',
]
