/** Ends as soon as it hears that it should, and tells the test what it heard. */
export default (job) => new Promise((_resolve, reject) => {
  job.signal.addEventListener('abort', () => {
    const { code, details } = job.signal.reason
    const channel = new BroadcastChannel(job.id)
    channel.postMessage({ code, details })
    channel.close()
    reject(job.signal.reason)
  })
  job.progress(1)
})
