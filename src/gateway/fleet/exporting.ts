import type { Queue } from '../../orchestrator/queue.ts'
import type { Tasks } from '../../orchestrator/tasks.ts'
import type { Call } from '../call.ts'
import type { Sink } from '../exchange.ts'
import type { WireExportHead, WireExportLine } from '../fleet-protocol.ts'
import { toErrorAnswer } from '../refusal.ts'

interface Wanted {
  readonly queues: readonly Queue<Tasks>[]
  readonly tasks: readonly string[] | null
  readonly from: number
  readonly to: number
}

/** Lines that are written at a time. */
const chunkLines = 200

/** Writes an export as fast as the other end takes it; never rejects. */
export async function exportLines(call: Call, sink: Sink, wanted: Wanted): Promise<void> {
  const writer = new LineWriter(sink)
  try {
    await write(call, writer, wanted)
  } catch (error) {
    const { body, isFault } = toErrorAnswer(error)
    if (isFault) {
      call.house.settings.logger.error({ err: error }, 'an export of the fleet failed')
    }
    // An error in place of a line: nobody takes what there is for all of it.
    await writer.line(body)
  }
  await writer.flush()
  sink.end()
}

async function write(call: Call, writer: LineWriter, wanted: Wanted): Promise<void> {
  const { queues, tasks, from, to } = wanted
  const { past } = call.house.fleet
  const head = await past.head(queues, from, to)
  // Of some tasks nobody has counted what was there before.
  await writer.line((tasks ? { ...head, counts: null } : head) satisfies WireExportHead)
  for await (const { transition, left } of past.between(queues, head.from, to)) {
    if (!writer.isOpen) return
    if (tasks && !tasks.includes(transition.task)) continue
    const line: WireExportLine = {
      ...call.write.transition(transition), ...(left === undefined ? {} : { left }),
    }
    await writer.line(line)
  }
}

class LineWriter {
  readonly #sink: Sink
  #lines: string[] = []
  #open = true
  #resume = (): void => undefined

  constructor(sink: Sink) {
    this.#sink = sink
    sink.onDrain = () => { this.#resume() }
    sink.onClose = () => {
      this.#open = false
      this.#resume()
    }
  }

  get isOpen(): boolean {
    return this.#open
  }

  async line(value: unknown): Promise<void> {
    this.#lines.push(`${JSON.stringify(value)}\n`)
    if (this.#lines.length >= chunkLines) await this.flush()
  }

  async flush(): Promise<void> {
    const text = this.#lines.join('')
    this.#lines = []
    if (!this.#open || text === '' || this.#sink.write(Buffer.from(text))) return
    await new Promise<void>((resolve) => { this.#resume = resolve })
  }
}
