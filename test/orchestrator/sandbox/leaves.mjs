/** Leaves the handler at the first attempt. */
export default (job) => {
  if (job.attempt > 1) return job.attempt
  return job.input === 'snooze' ? job.snooze('20ms') : job.limitReached(20)
}
