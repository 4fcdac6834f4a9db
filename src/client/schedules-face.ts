import { paths } from '../gateway/protocol.ts'
import type {
  ScheduleVerb, WireAnswer, WireHandle, WirePreview, WireSchedules, WireTimes,
} from '../gateway/protocol.ts'
import type { Schedule, ScheduleRule } from '../orchestrator/schedules/schedules.ts'
import type { Tasks } from '../orchestrator/tasks.ts'
import { orNull } from './failure.ts'
import type { RemoteHandle } from './remote-job.ts'
import type { RemoteSchedules } from './remote-queue.ts'
import type { Transport } from './transport.ts'
import { toFields } from './wire-options.ts'

/** The schedules of a queue, as requests. */
export class SchedulesFace implements RemoteSchedules<Tasks> {
  readonly #queue: string
  readonly #transport: Transport
  readonly #handle: (wire: WireHandle) => RemoteHandle<unknown>

  constructor(
    queue: string, transport: Transport, handle: (wire: WireHandle) => RemoteHandle<unknown>,
  ) {
    this.#queue = queue
    this.#transport = transport
    this.#handle = handle
  }

  async upsert(key: string, schedule: object): Promise<'created' | 'changed' | 'unchanged'> {
    const { answer } = await this.#transport.ask<WireAnswer<'created' | 'changed' | 'unchanged'>>({
      method: 'PUT', path: paths.schedule(this.#queue, key), again: 'some',
      body: toFields(schedule),
    })
    return answer.answer
  }

  async list(): Promise<readonly Schedule[]> {
    const { schedules } = await this.#transport.get<WireSchedules>(paths.schedules(this.#queue))
    return schedules
  }

  get(key: string): Promise<Schedule | null> {
    const path = paths.schedule(this.#queue, key)
    return orNull(this.#transport.get<Schedule>(path), 'unknown-schedule')
  }

  async preview(keyOrRule: string | ScheduleRule, count = 10): Promise<readonly number[]> {
    if (typeof keyOrRule !== 'string') {
      const body: WirePreview = { rule: toFields(keyOrRule), count }
      const path = paths.preview(this.#queue)
      return (await this.#transport.post<WireTimes>(path, body, 'some')).times
    }
    const path = paths.onSchedule(this.#queue, keyOrRule, 'preview')
    return (await this.#transport.get<WireTimes>(path, [['count', String(count)]])).times
  }

  pause(key: string): Promise<'paused' | 'already-paused' | 'unknown'> {
    return this.#verb(key, 'pause')
  }

  resume(key: string): Promise<'resumed' | 'not-paused' | 'unknown'> {
    return this.#verb(key, 'resume')
  }

  async trigger(key: string): Promise<RemoteHandle<unknown>> {
    const path = paths.onSchedule(this.#queue, key, 'trigger')
    return this.#handle(await this.#transport.post<WireHandle>(path, {}, 'never'))
  }

  remove(key: string): Promise<'removed' | 'unknown'> {
    return this.#verb(key, 'remove')
  }

  async #verb<Word extends string>(key: string, verb: ScheduleVerb): Promise<Word> {
    const path = paths.onSchedule(this.#queue, key, verb)
    const again = verb === 'remove' ? 'never' : 'some'
    return (await this.#transport.post<WireAnswer<Word>>(path, {}, again)).answer
  }
}

