import type { BulkAnswer, CleanAnswer } from '../../orchestrator/bulk.ts'
import type { JobFilterOptions } from '../../orchestrator/filter.ts'
import { checkFields } from '../body.ts'
import { queueOf } from '../call.ts'
import type { Call, Reply, Route } from '../call.ts'
import type { Sink } from '../exchange.ts'
import type { BulkVerb, WireBulkAnswer } from '../protocol.ts'
import { toErrorAnswer } from '../refusal.ts'
import { isObject, narrow } from '../scope.ts'

type Figures = BulkAnswer & Partial<CleanAnswer>
type Work = (onProgress: (figures: Figures) => void) => Promise<Figures>

const path = '/v1/queues/{queue}'
const lines = 'With `Accept: application/x-ndjson`, a line for each batch.'

export const bulkRoutes: readonly Route[] = [
  {
    method: 'POST', path: `${path}/cancel-many`, access: 'cancel', audited: 'cancel-many',
    summary: `Cancels the jobs of a filter. ${lines}`, body: 'Bulk', answer: 'BulkAnswer',
    handle: bulk('cancel-many'),
  },
  {
    method: 'POST', path: `${path}/retry-many`, access: 'retry', audited: 'retry-many',
    summary: `Retries the jobs of a filter. ${lines}`, body: 'Bulk', answer: 'BulkAnswer',
    handle: bulk('retry-many'),
  },
  {
    method: 'POST', path: `${path}/clean`, access: 'remove', audited: 'clean',
    summary: `Removes the settled jobs of a filter. ${lines}`, body: 'Bulk',
    answer: 'BulkAnswer', handle: bulk('clean'),
  },
]

function bulk(verb: BulkVerb): Route['handle'] {
  return async (call) => {
    const known = verb === 'cancel-many' ? ['filter', 'dryRun', 'reason'] : ['filter', 'dryRun']
    checkFields(call.body, known)
    const work = toWork(call, verb)
    const { accept } = { accept: call.request.headers.get('accept') ?? '' }
    if (!accept.includes('application/x-ndjson')) {
      return { json: toAnswer(noted(call, await work(() => undefined)), true) }
    }
    return streamed(call, work)
  }
}

function toWork(call: Call, verb: BulkVerb): Work {
  const queue = queueOf(call)
  const { filter = {}, dryRun, reason } = call.body
  const narrowed = isObject(filter)
    ? narrow(call.visitor.bounds, filter) : filter as JobFilterOptions
  if (!narrowed) {
    const nothing = { matched: 0, done: 0, ...(verb === 'clean' ? { awaited: 0 } : {}) }
    return async () => nothing
  }
  const common = dryRun === undefined ? {} : { dryRun: dryRun as boolean }
  return (onProgress) => {
    const options = { ...common, onProgress }
    if (verb === 'clean') return queue.clean(narrowed, options)
    if (verb === 'retry-many') return queue.retryMany(narrowed, options)
    return queue.cancelMany(narrowed, {
      ...options, ...(reason === undefined ? {} : { reason: reason as string }),
    })
  }
}

function noted(call: Call, figures: Figures): Figures {
  const { matched, done } = figures
  if (call.body['dryRun'] !== true) call.note(`matched ${matched}, done ${done}`)
  return figures
}

function toAnswer({ matched, done, awaited }: Figures, over: boolean): WireBulkAnswer {
  return { matched, done, ...(awaited === undefined ? {} : { awaited }), over }
}

/** Who goes away does not end the work: what was asked for is done. */
function streamed(call: Call, work: Work): Reply {
  const { logger } = call.house.settings
  const send = (sink: Sink, line: unknown): void => {
    sink.write(Buffer.from(`${JSON.stringify(line)}\n`))
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/x-ndjson' },
    stream: (sink) => {
      work((figures) => { send(sink, toAnswer(figures, false)) }).then((figures) => {
        send(sink, toAnswer(noted(call, figures), true))
      }, (error: unknown) => {
        const { body, isFault } = toErrorAnswer(error)
        if (isFault) logger.error({ err: error }, 'a bulk verb of the gateway failed')
        call.note(body.error.code)
        send(sink, body)
      }).finally(() => { sink.end() }).catch((error: unknown) => {
        logger.error({ err: error }, 'a bulk verb of the gateway failed')
      })
    },
  }
}
