/** Says that it runs, and ends as soon as it hears that it should. */
export default (job) => new Promise((_resolve, reject) => {
  job.signal.addEventListener('abort', () => {
    const { code, details, message } = job.signal.reason
    job.log(JSON.stringify({ code, details, message }))
    reject(job.signal.reason)
  })
  job.progress(1)
})
