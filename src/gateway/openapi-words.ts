import { states } from '../../machines/vocabulary.ts'
import type { SchemaName } from './call.ts'

/** What the schemas of the OpenAPI document are put together of. */
export type Schema = { readonly [name: string]: unknown }
type Properties = { readonly [name: string]: Schema }

/** Schemas that only others refer to. */
export type PartName = 'Error' | 'JobLine' | 'Counts' | 'Options' | 'Transition' | 'Chart'

export const text: Schema = { type: 'string' }
export const time: Schema = { type: 'integer', description: 'Epoch milliseconds.' }
export const whole: Schema = { type: 'integer' }
export const decimal: Schema = { type: 'number' }
export const flag: Schema = { type: 'boolean' }
export const any: Schema = {}
export const state: Schema = { enum: states }

export function nullable(schema: Schema): Schema {
  return { anyOf: [schema, { type: 'null' }] }
}

export function object(properties: Properties, required: readonly string[] = []): Schema {
  return { type: 'object', properties, ...(required.length === 0 ? {} : { required }) }
}

/** Every property is there, but for the optional ones. */
export function complete(properties: Properties, optional: Properties = {}): Schema {
  return object({ ...properties, ...optional }, Object.keys(properties))
}

/** Of type `T`: what it has must be named here, and nothing else can be. */
export function described<T>(
  properties: { readonly [K in Exclude<keyof T, OptionalKeys<T>>]: Schema },
  // Must be given when there is any.
  ...[optional]: OptionalKeys<T> extends never
    ? [] : [optional: { readonly [K in OptionalKeys<T>]: Schema }]
): Schema {
  return complete(properties, optional)
}

type OptionalKeys<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T]

export function list(items: Schema): Schema {
  return { type: 'array', items }
}

/** A list of exactly these. */
export function tuple(...items: readonly Schema[]): Schema {
  return { type: 'array', prefixItems: items, minItems: items.length, maxItems: items.length }
}

export function oneOf(...schemas: readonly Schema[]): Schema {
  return { anyOf: schemas }
}

export function byKey(values: Schema): Schema {
  return { type: 'object', additionalProperties: values }
}

export function ref(name: SchemaName | PartName): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

export const error: Schema = complete(
  { name: text, message: text },
  { code: text, stack: text, cause: { type: 'object' }, truncated: { const: true } },
)
