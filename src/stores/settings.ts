import type { Json } from '../../machines/vocabulary.ts'

export interface Setting {
  readonly value: Json
  /** 0 when it was never set. */
  readonly version: number
}

/** The key of a queue's durable settings. */
export function queueSettingKey(queue: string): string {
  return `queue:${queue}`
}

/** The key of a queue's schedules. */
export function schedulesKey(queue: string): string {
  return `schedules:${queue}`
}

/** What the durable setting of a queue says. */
export interface QueueSetting {
  readonly paused: boolean
  /** No claims before; 0 when nothing was said. */
  readonly limitedUntil: number
}

export function toQueueSetting(value: Json): QueueSetting {
  const given = typeof value === 'object' && value !== null ? value : {}
  const { paused, limitedUntil } = given as { readonly [key: string]: Json }
  return {
    paused: paused === true,
    limitedUntil: typeof limitedUntil === 'number' ? limitedUntil : 0,
  }
}
