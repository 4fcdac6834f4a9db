import type { WireBulk, WireBulkAnswer, WireError } from '../gateway/protocol.ts'
import { bodyRefusal, Failure, unreachable } from './failure.ts'
import type { Transport } from './transport.ts'

/** Runs a bulk verb and hears a line after each batch; answers the last one. Never repeated. */
export async function runBulk(
  transport: Transport, path: string, body: WireBulk,
  onBatch: (answer: WireBulkAnswer) => unknown,
): Promise<WireBulkAnswer> {
  const call = {
    method: 'POST', path, body, accept: 'application/x-ndjson', again: 'never',
  } as const
  try {
    return await transport.within(undefined, async (signal) => {
      const response = await transport.open(call, signal)
      let last: WireBulkAnswer | null = null
      for await (const line of lines(response, transport.urlOf(call))) {
        const said = JSON.parse(line) as WireBulkAnswer | WireError
        if ('error' in said) throw bodyRefusal(said, response.status)
        last = said
        if (!said.over) await onBatch(said)
      }
      if (!last?.over) throw unreachable(transport.urlOf(call), 'the answer ended too early')
      return last
    })
  } catch (error) {
    throw error instanceof Failure ? error.error : error
  }
}

async function* lines(response: Response, url: string): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader()
  let rest = ''
  try {
    for (;;) {
      const chunk = await reader?.read().catch((error: unknown) => {
        throw unreachable(url, error)
      })
      if (!chunk || chunk.done) break
      const parts = (rest + decoder.decode(chunk.value, { stream: true })).split('\n')
      rest = parts.pop() ?? ''
      yield* parts.filter((part) => part !== '')
    }
    if (rest !== '') yield rest
  } finally {
    await reader?.cancel().catch(() => undefined)
  }
}
