import type { JobRecord } from '../../index.ts'

export const refusals: readonly string[] = ['unknown-parent', 'dependency-cycle']

type Links = Pick<JobRecord, 'id' | 'dependsOn'>

/** What an add of these jobs must be refused with, for the sake of their parents. */
export function refusalOf(
  adding: readonly Links[], records: readonly JobRecord[],
): 'unknown-parent' | 'dependency-cycle' | null {
  const parents = new Map(records.map(({ id, state, dependsOn }) =>
    [id, state === 'completed' ? [] : dependsOn]))
  const fresh = adding.filter(({ id }, index) =>
    !parents.has(id) && adding.findIndex((job) => job.id === id) === index)
  for (const { id, dependsOn } of fresh) parents.set(id, dependsOn)
  if (fresh.some(({ dependsOn }) => dependsOn.some((id) => !parents.has(id)))) {
    return 'unknown-parent'
  }
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
    (parents.get(from) ?? []).some((id) =>
      id === to || (!seen.has(id) && reaches(id, to, seen.add(id))))
  return fresh.some(({ id }) => reaches(id, id)) ? 'dependency-cycle' : null
}
