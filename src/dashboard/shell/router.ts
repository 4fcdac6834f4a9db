import { signal } from '@preact/signals'
import type { ReadonlySignal } from '@preact/signals'

/** The screens, in the order of the tabs; the letter behind `g` that leads there. */
export const screens = [
  { name: 'fleet', title: 'Fleet', key: 'f' },
  { name: 'jobs', title: 'Jobs', key: 'j' },
  { name: 'workers', title: 'Workers', key: 'w' },
  { name: 'schedules', title: 'Schedules', key: 's' },
  { name: 'events', title: 'Events', key: 'e' },
  { name: 'doctor', title: 'Doctor', key: 'd' },
] as const
export type ScreenName = (typeof screens)[number]['name']

/** Where the page is: `#/jobs/images/j_1?state=failed` is jobs, [images, j_1] and a query. */
export interface Place {
  readonly screen: ScreenName
  readonly parts: readonly string[]
  readonly query: URLSearchParams
}

export type Query = Readonly<Record<string, string | null | undefined>>

const current = signal(parse(location.hash))

/** Where the page is now. */
export const place: ReadonlySignal<Place> = current

addEventListener('hashchange', () => { current.value = parse(location.hash) })

/** The address of a screen; empty and absent values of the query are left out. */
export function hrefOf(
  screen: ScreenName, parts: readonly string[] = [], query: Query = {},
): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value)
  const path = [screen, ...parts].map(encodeURIComponent).join('/')
  return `#/${path}${search.size === 0 ? '' : `?${search.toString()}`}`
}

/** Goes to an address of `hrefOf`. */
export function go(href: string): void {
  location.hash = href
}

/** Changes parts of the query of this place; null takes one away. History keeps no step of it. */
export function setQuery(changes: Query): void {
  const { screen, parts, query } = current.value
  const all = { ...Object.fromEntries(query), ...changes }
  history.replaceState(null, '', hrefOf(screen, parts, all))
  current.value = parse(location.hash)
}

function parse(hash: string): Place {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  const [first, ...parts] = path.split('/').filter((part) => part !== '').map(decode)
  const known = screens.find(({ name }) => name === first)
  return { screen: known?.name ?? 'fleet', parts, query: new URLSearchParams(search) }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
