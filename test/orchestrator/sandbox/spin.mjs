/** Never ends, never listens. Says which attempt it is. */
export default (job) => {
  job.log('before the loop')
  job.progress(job.attempt)
  for (;;);
}
