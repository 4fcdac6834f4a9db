import type { Route } from '../call.ts'
import { fleetRoutes } from '../fleet/routes.ts'
import { toOpenApi } from '../openapi.ts'
import { addingRoutes } from './adding.ts'
import { bulkRoutes } from './bulk.ts'
import { jobRoutes } from './jobs.ts'
import { queueRoutes } from './queues.ts'
import { serverRoutes } from './server.ts'

const described: readonly Route[] = [
  ...queueRoutes, ...jobRoutes, ...addingRoutes, ...bulkRoutes, ...serverRoutes,
  ...fleetRoutes,
]

const openapi: Route = {
  method: 'GET', path: '/v1/openapi.json', access: 'user', answer: 'Any',
  summary: 'This description.', handle: () => ({ json: document }),
}

/** Everything that can be asked. */
export const routes: readonly Route[] = [...described, openapi]

const document = toOpenApi(routes)
