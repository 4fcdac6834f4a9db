/** Never ends, never listens. */
export default (job) => {
  job.log('before the loop')
  job.progress(1)
  for (;;);
}
