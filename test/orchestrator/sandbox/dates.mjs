/** Tells whether the schema's Date is one here. */
export default (job) => {
  const { day } = job.input
  return { isDate: day instanceof Date, day: day.toISOString() }
}
