import { dashboardPages } from '../src/gateway/dashboard-pages.ts'
import { createGateway } from '../src/gateway/gateway.ts'
import { createTroupe } from '../src/index.ts'
import type { Job } from '../src/index.ts'

/**
 * Five queues with made-up work, and the dashboard over them: `npx tsx scripts/demo-fleet.ts`.
 * Nothing is stored; the port is the first argument, or 7070.
 */
const troupe = await createTroupe()

/** The same figures in each run. */
let seed = 7
function chance(): number {
  seed = (seed * 1103515245 + 12345) % 2147483648
  return seed / 2147483648
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason as Error)
    }, { once: true })
  })
}

/** Works for about this long, in steps, and fails now and then. */
function work(medianMs: number, failing: number, errors: readonly string[]) {
  return async ({ signal }: Job<unknown>): Promise<{ ms: number }> => {
    const ms = medianMs * (0.4 + chance() * 1.2)
    await sleep(ms, signal)
    if (chance() < failing) {
      throw new Error(errors[Math.floor(chance() * errors.length)] ?? 'failed')
    }
    return { ms: Math.round(ms) }
  }
}

const images = troupe.queue('image_processing', {
  concurrency: 16,
  defaults: { retries: 2, backoff: '2s' },
  tasks: {
    resize: work(900, 0.06, [
      'unsupported image: HEIC sequence with 48 frames', 'ENOSPC: no space left on device, write',
    ]),
    watermark: work(500, 0.03, ['the mark is larger than the image']),
  },
})
const emails = troupe.queue('emails', {
  concurrency: 20, tasks: { receipt: work(120, 0.02, ['mailbox unavailable']) },
})
const hooks = troupe.queue('webhooks', {
  concurrency: 10,
  defaults: { retries: 1, backoff: '3s' },
  tasks: {
    deliver: work(700, 0.16, [
      'no answer from hooks.acme.test within 10 s', '410 Gone, the endpoint was removed',
    ]),
  },
})
const reports = troupe.queue('reports', {
  concurrency: 4,
  tasks: {
    collect_rows: work(1500, 0.02, ['cursor closed by the server']),
    render_pdf: work(2500, 0.2, ['page crashed: out of memory at sheet 212']),
  },
})
const search = troupe.queue('search_index', {
  concurrency: 2, tasks: { upsert: work(200, 0.04, ['version conflict: have 8, got 7']) },
})

await troupe.start()
await emails.pause()
let made = 0
async function add(): Promise<void> {
  made += 1
  const partition = ['acme', 'globex', 'initech'][made % 3] ?? 'acme'
  const label = `IMG_${String(2000 + made)}.jpg to 1600 px`
  const resize = await images.add('resize', { file: label }, { label, partition })
  if (made % 2 === 0) await images.add('watermark', {}, { dependsOn: [resize.id], partition })
  if (made % 3 === 0) await hooks.add('deliver', { to: 'hooks.acme.test' }, { partition })
  if (made % 8 === 0) await emails.add('receipt', { to: 'a@example.com' })
  if (made % 5 === 0) await search.add('upsert', { id: made })
  if (made % 9 === 0) await images.add('resize', { file: 'later' }, { delay: '20s' })
  if (made % 24 === 0) {
    const rows = await reports.add('collect_rows', {})
    await reports.add('render_pdf', {}, { dependsOn: [rows.id] })
  }
  if (made % 40 === 0) await resize.cancel('no longer needed')
}
for (let index = 0; index < 120; index += 1) await add()
const adding = setInterval(() => { void add() }, 150)

const gateway = createGateway(troupe, { pages: dashboardPages() })
const { url } = await gateway.listen({ port: Number(process.argv[2] ?? 7070) })
console.log(`the dashboard is at ${url}`)
const end = (): void => {
  clearInterval(adding)
  void gateway.close().then(() => troupe.stop()).then(() => { process.exit(0) })
}
process.on('SIGTERM', end)
process.on('SIGINT', end)
