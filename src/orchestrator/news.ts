import type { Publisher } from '../observe/publisher.ts'
import { queueSettingKey, toQueueSetting } from '../stores/settings.ts'
import type { Change, Interest, MovedJob, Store, StoreEvent } from '../stores/store.ts'
import type { QueueActor } from './queue-actor.ts'
import type { Scheduler } from './schedules/scheduler.ts'
import type { Sweeper } from './sweeper.ts'
import type { Witness } from './telemetry.ts'

interface NewsContext {
  readonly store: Pick<Store, 'wake'>
  readonly queues: ReadonlyMap<string, { readonly actor: QueueActor }>
  readonly publisher: Publisher
  readonly witness: Witness
  readonly sweeper: Sweeper
  readonly scheduler: Scheduler
}

/** Passes on what the store tells: to actors, log and telemetry, timers, observers. */
export class News {
  readonly #context: NewsContext

  constructor(context: NewsContext) {
    this.#context = context
  }

  /** What others do to these jobs concerns somebody here. */
  get interest(): Interest {
    const { publisher, queues } = this.#context
    return {
      has: (id) => publisher.followed.has(id) ||
        [...queues.values()].some(({ actor }) => actor.concerns(id)),
      followed: () => publisher.followed.keys(),
    }
  }

  receive(event: StoreEvent): void {
    const { publisher, queues, sweeper, scheduler } = this.#context
    switch (event.type) {
      case 'changes':
        for (const change of event.changes) this.#changed(change)
        break
      case 'moved':
        for (const job of event.jobs) this.#moved(job)
        break
      case 'wake':
        queues.get(event.queue)?.actor.wake()
        break
      case 'setting':
        for (const [name, { actor }] of queues) {
          if (queueSettingKey(name) !== event.key) continue
          actor.settingChanged(toQueueSetting(event.value))
        }
        break
      case 'timer':
      case 'retold':
        break
    }
    sweeper.receive(event)
    scheduler.receive(event)
    publisher.receive(event)
  }

  /** A handler has committed this in a transaction of its own, of which the store knows nothing. */
  committed(change: Change): void {
    const { publisher, witness, store } = this.#context
    witness.transition(change)
    publisher.receive({ type: 'changes', changes: [change] })
    store.wake(change.entry.queue)
  }

  #changed(change: Change): void {
    const { queues, witness } = this.#context
    const { entry, record } = change
    const queue = queues.get(entry.queue)
    if (!queue) return
    queue.actor.changed(entry.jobId, record)
    // Who committed it tells of it, so that a fleet tells it once.
    witness.transition(change)
  }

  #moved({ id, queue, record }: MovedJob): void {
    const { queues } = this.#context
    queues.get(queue)?.actor.changed(id, record)
    if (record !== null) return
    // Of what is gone, the queue may not be known any more.
    for (const { actor } of queues.values()) if (actor.concerns(id)) actor.changed(id, null)
  }
}
