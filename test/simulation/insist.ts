import { TroupeError } from 'troupe'
import type { Call } from './diary.ts'
import type { Node } from './node.ts'

/** What was refused may be there all the same: the same once more settles it. */
export async function insist<T>(node: Node, call: Call, ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await ask()
    } catch (error) {
      const again = error instanceof TroupeError && error.code === 'store-failed'
      if (!again || tries === 5 || !node.ready) throw error
      call.again = true
      await node.sleep(50)
    }
  }
}
