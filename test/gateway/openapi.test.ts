import { expect, test } from 'vitest'
import { fleetPaths } from '../../src/gateway/fleet-protocol.ts'
import { paths } from '../../src/gateway/protocol.ts'
import { routes } from '../../src/gateway/routes/table.ts'
import { ask, codeOf, get, useStand } from './stand.ts'

const stand = useStand()

interface Operation {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: object
  readonly security: readonly object[]
}

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

async function read(url: string): Promise<Document> {
  return (await get(url, paths.openapi)).json as unknown as Document
}

test('the document describes the routes, and nothing else', async () => {
  const document = await read(await stand.listen())
  expect(document.openapi).toBe('3.1.0')
  const described = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`))
  expect(described.sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort())
})

test('each operation answers as it is described', async () => {
  const url = await stand.listen({ token: 'a-token-of-some-length' })
  const withToken = { authorization: 'Bearer a-token-of-some-length' }
  const document = JSON.parse(
    (await ask(url, 'GET', paths.openapi, { headers: withToken })).text,
  ) as Document
  const ids = new Set<string>()
  for (const [path, operations] of Object.entries(document.paths)) {
    const concrete = path.replaceAll('{queue}', 'photos').replaceAll(/\{\w+\}/g, 'x')
    for (const [method, operation] of Object.entries(operations)) {
      const name = `${method} ${path}`
      expect(ids.has(operation.operationId), name).toBe(false)
      ids.add(operation.operationId)
      const inPath = operation.parameters.filter((each) => each.in === 'path')
      expect(inPath.map((each) => `{${each.name}}`)).toEqual(path.match(/\{\w+\}/g) ?? [])
      expect(operation.requestBody !== undefined, name).toBe(method !== 'get')
      const anonymous = await ask(url, method.toUpperCase(), concrete, {
        ...(method === 'get' ? {} : { body: {} }),
      })
      expect(anonymous.status === 401, name).toBe(operation.security.length > 0)
      if (path === paths.stream || path === fleetPaths.stream) continue
      const answer = await ask(url, method.toUpperCase(), concrete, {
        headers: withToken, ...(method === 'get' ? {} : { body: {} }),
      })
      expect(['unknown-route', 'wrong-method'], name).not.toContain(codeOf(answer))
    }
    const other = await ask(url, 'DELETE', concrete, { headers: withToken })
    expect(codeOf(other), path).toBe('wrong-method')
  }
})

test('every schema that is referred to is there', async () => {
  const document = await read(await stand.listen())
  const names = [...JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)]
    .map(([, name]) => name)
  expect(new Set(names)).toEqual(new Set(Object.keys(document.components.schemas)))
})

test('the paths of the wire format are those of the routes', () => {
  const q = '{queue}'
  const spell = (path: string): string => decodeURIComponent(path)
  const known = new Set(routes.map(({ path }) => path))
  const built = [
    paths.hello, paths.queues, paths.queue(q), paths.jobs(q), paths.batch(q), paths.job(q, '{id}'),
    paths.explain(q, '{id}'), paths.act(q, '{id}', 'cancel'), paths.act(q, '{id}', 'retry'),
    paths.act(q, '{id}', 'remove'), paths.act(q, '{id}', 'reschedule'),
    paths.bulk(q, 'cancel-many'), paths.bulk(q, 'retry-many'), paths.bulk(q, 'clean'),
    paths.control(q, 'pause'), paths.control(q, 'resume'), paths.schedules(q),
    paths.schedule(q, '{key}'), paths.onSchedule(q, '{key}', 'preview'),
    paths.onSchedule(q, '{key}', 'pause'), paths.onSchedule(q, '{key}', 'resume'),
    paths.onSchedule(q, '{key}', 'trigger'), paths.onSchedule(q, '{key}', 'remove'),
    paths.preview(q), paths.flow,
    paths.workers, paths.doctor, paths.audit, paths.stream, paths.openapi, paths.health,
    paths.ready, paths.metrics, ...Object.values(fleetPaths),
  ].map(spell)
  expect(new Set(built)).toEqual(known)
})
