import type { Route } from './call.ts'
import { Refusal } from './refusal.ts'

interface Pattern {
  readonly route: Route
  /** Each part of the path as it must be, or the name of the parameter that stands there. */
  readonly parts: readonly (string | { readonly param: string })[]
}

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** Finds the route of a request in the one table of them. */
export class Router {
  readonly routes: readonly Route[]
  readonly #patterns: readonly Pattern[]

  constructor(routes: readonly Route[]) {
    this.routes = routes
    this.#patterns = routes.map((route) => ({
      route,
      parts: route.path.slice(1).split('/').map((part) =>
        (part.startsWith('{') ? { param: part.slice(1, -1) } : part)),
    }))
  }

  /** Null when there is no such path; throws `wrong-method` when it has no such method. */
  find(method: string, path: string): Match | null {
    const parts = path.slice(1).split('/')
    const asked = method === 'HEAD' ? 'GET' : method
    const allowed = new Set<string>()
    for (const pattern of this.#patterns) {
      const params = match(pattern, parts)
      if (!params) continue
      const { route } = pattern
      if (route.method === asked && !(method === 'HEAD' && route.type === 'text/event-stream')) {
        return { route, params }
      }
      allowed.add(route.method)
    }
    if (allowed.size === 0) return null
    const methods = [...allowed].join(', ')
    throw new Refusal(
      'wrong-method', `${path.slice(0, 200)} takes ${methods}`, {}, { allow: methods },
    )
  }
}

function match({ parts }: Pattern, given: readonly string[]): Match['params'] | null {
  if (parts.length !== given.length) return null
  const params: Record<string, string> = {}
  for (const [index, part] of parts.entries()) {
    const text = given[index] ?? ''
    if (typeof part === 'string') {
      if (part !== text) return null
    } else {
      const value = decode(text)
      if (value === null || value === '') return null
      params[part.param] = value
    }
  }
  return params
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
