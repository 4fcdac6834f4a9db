/** Gives back what the handler was given. */
export default (job) => {
  const { id, queue, task, input, attempt, fence, label, meta, partition, parents } = job
  return { id, queue, task, input, attempt, fence, label, meta, partition, parents }
}
