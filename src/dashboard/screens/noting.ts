import { TroupeErrorOf } from '../../errors.ts'
import { heard, lost } from '../shell/session.ts'

/** An answer of the gateway; when none comes, the page says that it looks for it. */
export async function noting<T>(answer: Promise<T>): Promise<T> {
  try {
    const value = await answer
    heard()
    return value
  } catch (error) {
    if (error instanceof TroupeErrorOf && error.code === 'unreachable') lost()
    throw error
  }
}
