/** What a reader must know before comparing two rows. */
export const notes = [
  'Drain: the jobs are all queued before the clock starts; it stops when the system ' +
    'itself says that the last one is done. For Troupe that is one subscriber on ' +
    '`transitions$` that has seen every `completed`, each published after its commit; for ' +
    'p-queue `onIdle()`, for fastq `drained()`, for better-queue its `drain` event, for ' +
    'plainjob its `onCompleted` callback.',
  'p-queue and fastq hold functions or objects in an array: no ids, states, retries, ' +
    'timeouts by job, nothing to look up or cancel by id, and a crash loses all. They are ' +
    'the floor of what scheduling a promise costs, not a like for like comparison.',
  'better-queue keeps jobs in its memory store (the default), with ids, retries and ' +
    'events; a crash loses all.',
  'Troupe on memory keeps a record, a timeline and a numbered log entry for each ' +
    'transition; a crash loses all. Results are kept (the newest 1,000 completed per ' +
    'queue).',
  'Troupe on lowdb syncs each group of adds, claims and outcomes with fdatasync before ' +
    'it answers or publishes: nothing acknowledged is lost by a power cut on a disk that ' +
    'honours the sync.',
  'plainjob sets WAL with `synchronous=NORMAL`: a killed process loses nothing, a power ' +
    'cut may lose the last commits. It stores no result, and finished rows stay for seven ' +
    'days. A worker runs one job at a time, so 10 and 100 at once are 10 and 100 workers ' +
    'in one process. It hands the handler the JSON text; the no-op does not parse it.',
  'plainjob finds work by polling: its latency is the wait for the next poll of any of ' +
    'its ten workers, each of which polls every 10 ms here, out of step (its default is ' +
    '1,000 ms).',
  'better-queue takes a task in through a timer of 0 ms, which Node rounds up to 1 ms.',
  'Single adds: each awaited to the acknowledgement that the system has. p-queue, fastq ' +
    'and plainjob acknowledge synchronously; for better-queue it is the ticket’s `queued` ' +
    'event, after that timer, so it is far below its rate in bulk.',
  'Bulk add: chunks of 1,000 through `addMany` (Troupe, plainjob: all or nothing for ' +
    'each chunk), `addAll` (p-queue); fastq and better-queue have no bulk call and get ' +
    'pushes in a loop.',
  'Latency: concurrency 10, an idle event loop between the jobs (pauses of 3 to 13 ms). ' +
    'Add → done ends when the one who added knows: the promise, ticket or `result()`, or ' +
    '`onCompleted`.',
  'Heap: `heapUsed` + `external` after gc, minus the same before, per job; the payload ' +
    'is about 90 bytes of JSON whose strings are literals, which systems that keep the ' +
    'object by reference share between jobs. plainjob’s jobs are in its file, so its heap ' +
    'is near nothing.',
]
