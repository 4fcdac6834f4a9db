import { queueSettingKey, toQueueSetting } from '../stores/settings.ts'
import type { QueueSetting } from '../stores/settings.ts'
import type { Store } from '../stores/store.ts'

/** Changes the durable setting of a queue; `change` answers null to leave it as it is. */
export async function changeQueueSetting(
  store: Pick<Store, 'getSetting' | 'casSetting'>, queue: string,
  change: (setting: QueueSetting) => QueueSetting | null,
): Promise<boolean> {
  const key = queueSettingKey(queue)
  for (;;) {
    const { value, version } = await store.getSetting(key)
    const next = change(toQueueSetting(value))
    if (next === null) return false
    if (await store.casSetting(key, version, { ...next })) return true
  }
}
