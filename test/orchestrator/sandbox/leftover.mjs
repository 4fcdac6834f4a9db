/** Returns, and leaves a timer behind that ends the thread. */
export default () => {
  setTimeout(() => { throw new Error('too late') }, 20)
  return 'done'
}
