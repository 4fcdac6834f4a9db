/** Computes without an await, and looks at times whether it should go on. */
export default (job) => {
  job.progress(1)
  for (;;) job.throwIfCancelled()
}
