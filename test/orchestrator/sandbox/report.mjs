/** Reports from a loop without an await, more often than anybody needs. */
export default (job) => {
  for (let step = 1; step <= job.input; step += 1) {
    job.progress({ current: step, total: job.input, message: `step ${step}` })
    job.log(`line ${step}`)
  }
}
