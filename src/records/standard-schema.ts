/**
 * The part of the Standard Schema interface (standardschema.dev, version 1) that is used here;
 * zod, valibot, arktype and others implement it.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

export type InferInput<S extends StandardSchemaV1> =
  NonNullable<S['~standard']['types']>['input']
export type InferOutput<S extends StandardSchemaV1> =
  NonNullable<S['~standard']['types']>['output']

/** The first issue as `{ path, problem }`, with `root` in front of the path. */
export function firstIssue(
  issues: readonly SchemaIssue[], root: string,
): { readonly path: string; readonly problem: string } {
  const issue = issues[0]
  // Not `path.map`: the lists of arktype make a list of one out of an empty one.
  const keys = Array.from(issue?.path ?? [], (part) => (typeof part === 'object' ? part.key : part))
  const path = keys.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`), root,
  )
  return { path, problem: issue?.message ?? 'refused by the schema' }
}
