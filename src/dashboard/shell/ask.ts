import { bodyRefusal } from '../../client/failure.ts'
import type { WireError } from '../../gateway/protocol.ts'
import { authorization, base } from './session.ts'

/** Asks the gateway for what the client library has no word for. Throws what it refuses with. */
export async function ask<T>(
  path: string, query: Readonly<Record<string, string | null>>, signal?: AbortSignal,
): Promise<T> {
  const response = await open(path, query, signal)
  return await response.json() as T
}

/** As `ask`, with the answer still to be read. */
export async function open(
  path: string, query: Readonly<Record<string, string | null>>, signal?: AbortSignal,
): Promise<Response> {
  const response = await fetch(addressOf(path, query), {
    headers: authorization(), ...(signal ? { signal } : {}),
  })
  if (!response.ok) await refuse(response)
  return response
}

/** Throws what the gateway says it refuses with. */
export async function refuse(response: Response): Promise<never> {
  const said = await response.json().catch(() => null) as WireError | null
  if (!said?.error) throw new Error(`the gateway answers ${String(response.status)}`)
  throw bodyRefusal(said, response.status).error
}

function addressOf(path: string, query: Readonly<Record<string, string | null>>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== null) search.set(name, value)
  return `${base}${path}${search.size === 0 ? '' : `?${search.toString()}`}`
}
