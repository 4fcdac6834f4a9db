/**
 * Many rows travel as one parameter for each column. Texts are joined by a character that neither
 * names nor JSON can hold: in an array of JSON each quote would be escaped, and members of JSON
 * objects cost the server several times as much to take apart.
 */
const separator = '\u001e'
const nothing = '\u001f'

export function texts(values: readonly (string | null)[]): string {
  return values.map((value) => value ?? nothing).join(separator)
}

export function numbers(values: readonly (number | null)[]): string {
  return `{${values.map((value) => value ?? 'null').join()}}`
}

/** The array in `$n` that was made by `texts`. */
export function textsIn(parameter: string): string {
  return `string_to_array(${parameter}::text, chr(30), chr(31))`
}
