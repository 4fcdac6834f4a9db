/** The part of JSON Schema that the OpenAPI document uses. */
interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema | false
  readonly items?: Schema
  readonly prefixItems?: readonly Schema[]
  readonly minItems?: number
  readonly maxItems?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly maxProperties?: number
  readonly description?: string
}
type Schemas = Readonly<Record<string, object>>

const known = new Set([
  '$ref', 'type', 'const', 'enum', 'anyOf', 'properties', 'required', 'additionalProperties',
  'items', 'prefixItems', 'minItems', 'maxItems', 'minimum', 'maximum', 'maxProperties',
  'description',
])

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isInteger(value),
  null: (value) => value === null,
  array: (value) => Array.isArray(value),
  object: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
}

/**
 * What of a value is not as the schema says, with the place. Stricter than JSON Schema: where
 * properties are named, others must not be there.
 */
export function faultsOf(value: unknown, schema: Schema, schemas: Schemas, at = '$'): string[] {
  for (const word of Object.keys(schema)) {
    if (!known.has(word)) throw new Error(`${at}: the check does not know ${word}`)
  }
  const { $ref, type, anyOf } = schema
  if ($ref !== undefined) {
    const name = $ref.replace('#/components/schemas/', '')
    return faultsOf(value, schemas[name] as Schema, schemas, at)
  }
  if (anyOf) {
    const all = anyOf.map((each) => faultsOf(value, each, schemas, at))
    const least = all.reduce((a, b) => (b.length < a.length ? b : a))
    return all.some((faults) => faults.length === 0) ? [] : [`${at}: none of anyOf`, ...least]
  }
  if (type !== undefined && !types[type]?.(value)) {
    return [`${at}: ${JSON.stringify(value)} is no ${type}`]
  }
  return [
    ...faultsOfValue(value, schema, at),
    ...(Array.isArray(value) ? faultsOfList(value, schema, schemas, at) : []),
    ...(types['object']?.(value) ? faultsOfObject(value as object, schema, schemas, at) : []),
  ]
}

function faultsOfValue(value: unknown, schema: Schema, at: string): string[] {
  const { minimum = -Infinity, maximum = Infinity } = schema
  const faults: string[] = []
  if ('const' in schema && value !== schema.const) faults.push(`${at}: not ${String(schema.const)}`)
  if (schema.enum && !schema.enum.includes(value)) {
    faults.push(`${at}: none of ${String(schema.enum)}`)
  }
  if (typeof value === 'number' && (value < minimum || value > maximum)) {
    faults.push(`${at}: out of bounds`)
  }
  return faults
}

function faultsOfList(
  value: readonly unknown[], schema: Schema, schemas: Schemas, at: string,
): string[] {
  const { items, prefixItems = [], minItems = 0, maxItems = Infinity } = schema
  const faults = value.length < minItems || value.length > maxItems ? [`${at}: another length`] : []
  return [...faults, ...value.flatMap((each, place) => {
    const own = prefixItems[place] ?? items
    return own ? faultsOf(each, own, schemas, `${at}[${place}]`) : []
  })]
}

function faultsOfObject(value: object, schema: Schema, schemas: Schemas, at: string): string[] {
  const { properties, required = [], additionalProperties, maxProperties = Infinity } = schema
  const names = Object.keys(value)
  const missing = required.filter((name) => !names.includes(name))
  const faults = missing.map((name) => `${at}: ${name} is missing`)
  if (names.length > maxProperties) faults.push(`${at}: too many properties`)
  for (const [name, each] of Object.entries(value)) {
    const own = properties?.[name] ?? additionalProperties
    if (own) faults.push(...faultsOf(each, own, schemas, `${at}.${name}`))
    else if (properties ?? own === false) faults.push(`${at}: ${name} is not described`)
  }
  return faults
}
