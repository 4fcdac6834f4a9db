import type { Json } from '../../../machines/vocabulary.ts'
import { queueSettingKey } from '../settings.ts'
import type { Setting } from '../settings.ts'
import type { Row, Run } from './database.ts'

function toSetting(row: Row | undefined): Setting {
  if (!row) return { value: null, version: 0 }
  const value = row['value'] as string | null
  return {
    value: value === null ? null : JSON.parse(value) as Json, version: Number(row['version']),
  }
}

export async function readSetting(run: Run, schema: string, key: string): Promise<Setting> {
  const [row] = await run(
    `select value::text as value, version from ${schema}.settings where key = $1`, [key],
  )
  return toSetting(row)
}

/** The setting, which nobody changes before the transaction ends. */
export async function lockSetting(run: Run, schema: string, key: string): Promise<Setting> {
  await run(
    `insert into ${schema}.settings (key, value, version) values ($1, null, 0)
    on conflict do nothing`, [key],
  )
  const [row] = await run(
    `select value::text as value, version from ${schema}.settings where key = $1 for update`,
    [key],
  )
  return toSetting(row)
}

export async function writeSetting(
  run: Run, schema: string, key: string, { value, version }: Setting,
): Promise<void> {
  await run(
    `insert into ${schema}.settings (key, value, version) values ($1, $2::jsonb, $3)
    on conflict (key) do update set value = excluded.value, version = excluded.version`,
    [key, value === null ? null : JSON.stringify(value), version],
  )
}

/**
 * Writes only on the version that is named. It waits for claims that have read the old one, so no
 * claim that it forbids commits after it has answered.
 */
export async function casSetting(
  run: Run, schema: string, key: string, version: number, value: Json,
): Promise<boolean> {
  const json = value === null ? null : JSON.stringify(value)
  const rows = version === 0
    ? await run(
        `insert into ${schema}.settings as s (key, value, version) values ($1, $2::jsonb, 1)
        on conflict (key) do update set value = excluded.value, version = 1
        where s.version = 0 returning version`, [key, json],
      )
    : await run(
        `update ${schema}.settings set value = $2::jsonb, version = version + 1
        where key = $1 and version = $3 returning version`, [key, json, version],
      )
  return rows.length > 0
}

/** Claims hold this row: it has to be there before the first one. */
export async function ensureQueueSetting(run: Run, schema: string, queue: string): Promise<void> {
  await run(
    `insert into ${schema}.settings (key, value, version) values ($1, null, 0)
    on conflict do nothing`, [queueSettingKey(queue)],
  )
}
