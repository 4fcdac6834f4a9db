import { hrefOf } from '../../shell/router.ts'

/** Most of a text that a search takes. */
const textLimit = 256

/**
 * The failed jobs of a queue with this text in them. Of several lines the first is looked for:
 * runs of spaces would be taken for one.
 */
export function alikeHref(queue: string, message: string): string {
  const [text = ''] = message.trim().split(/\s*[\r\n]|\s{2,}/)
  return hrefOf('jobs', [], { queue, state: 'failed', text: text.slice(0, textLimit).trim() })
}
