import { version } from '../orchestrator/leases.ts'
import type { Route } from './call.ts'
import { schemas } from './openapi-schemas.ts'

type Json = { readonly [name: string]: unknown }

/** The table of routes as an OpenAPI 3.1 document. */
export function toOpenApi(routes: readonly Route[]): Json {
  const paths: Record<string, Record<string, Json>> = {}
  for (const route of routes) {
    const path = paths[route.path] ??= {}
    path[route.method.toLowerCase()] = toOperation(route)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Troupe', version, summary: 'Jobs and queues: the wire format, version 1.' },
    paths,
    components: {
      schemas,
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  }
}

function toOperation(route: Route): Json {
  const { summary, body, answer, type = 'application/json', access } = route
  return {
    operationId: operationId(route),
    summary,
    parameters: [
      ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) =>
        ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...(route.query ?? []).map((name) => (name === 'meta.'
        ? {
            name: 'meta', in: 'query', style: 'deepObject',
            description: '`meta.<key>=<JSON or text>`', schema: { type: 'object' },
          }
        : { name, in: 'query', schema: { type: 'string' } })),
    ],
    ...(body === undefined ? {} : {
      requestBody: { required: true, content: { 'application/json': { schema: ref(body) } } },
    }),
    responses: {
      '2XX': { description: 'Done.', content: { [type]: { schema: ref(answer) } } },
      'default': {
        description: 'Not done, and why.',
        content: { 'application/json': { schema: ref('Error') } },
      },
    },
    security: access === 'open' ? [] : [{ bearer: [] }],
  }
}

/** `post-queues-jobs-cancel` */
function operationId({ method, path }: Route): string {
  const words = path.split('/').map((part) =>
    (part.startsWith('{') ? `by-${part.slice(1, -1)}` : part.replace(/\W/g, '-')))
  return [method.toLowerCase(), ...words].filter((word) => word !== '' && word !== 'v1').join('-')
}

function ref(name: string): Json {
  return { $ref: `#/components/schemas/${name}` }
}
