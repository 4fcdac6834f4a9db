import { threadId } from 'node:worker_threads'

/** The usual case: a little work, and a result that says where it was done. */
export default async (job) => ({ doubled: job.input * 2, threadId })
