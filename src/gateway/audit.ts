import type { Settings } from './options.ts'
import type { WireAudit } from './protocol.ts'

/** The newest lines are kept. */
const keptLines = 1000
const longestText = 128

/** Who changed what, when, and what came of it. */
export class Audit {
  readonly #settings: Settings
  readonly #lines: WireAudit[] = []

  constructor(settings: Settings) {
    this.#settings = settings
  }

  get lines(): readonly WireAudit[] {
    return this.#lines
  }

  add(line: Omit<WireAudit, 'at'>): void {
    const { env, audit, logger } = this.#settings
    const full: WireAudit = {
      at: env.now(), user: line.user, action: line.action, queue: clean(line.queue),
      jobId: clean(line.jobId), outcome: line.outcome,
    }
    this.#lines.push(full)
    if (this.#lines.length > keptLines) this.#lines.shift()
    if (!audit) return
    const report = (error: unknown): void => {
      logger.error({ err: error, ...full }, 'the audit sink of the gateway failed')
    }
    try {
      Promise.resolve(audit(full)).catch(report)
    } catch (error) {
      report(error)
    }
  }
}

/** Queue and id are as somebody wrote them: a line stays a line, and short. */
function clean(text: string | null): string | null {
  return text && text.replace(/[\u0000-\u001f\u007f]/g, '?').slice(0, longestText)
}
