import { phases, states } from '../../../../machines/vocabulary.ts'
import type { Phase, State } from '../../../../machines/vocabulary.ts'
import type { WireQueue } from '../../../gateway/protocol.ts'
import { Icon } from '../../parts/icon.tsx'
import { hrefOf, place } from '../../shell/router.ts'
import { count } from '../../shell/words.ts'
import type { JobsView } from './filter.ts'

/** Jobs of the queues that are shown, by state. */
export function countOf(queues: readonly WireQueue[], name: State | Phase): number {
  return queues.reduce((sum, { counts }) => sum + counts[name], 0)
}

/** States with their counts; whatever else is filtered by is not in these. */
export function Facets({ view, queues }: {
  readonly view: JobsView
  readonly queues: readonly WireQueue[]
}) {
  const { query } = place.value
  const all = states.reduce((sum, state) => sum + countOf(queues, state), 0)
  const href = (state: string | null, phase: string | null): string =>
    hrefOf('jobs', [], { ...Object.fromEntries(query), state, phase })
  const isAny = view.states.length === 0 && view.phase === null
  return (
    <nav class="facets" aria-label="States">
      <a
        href={href(null, null)} class={isAny ? 'on' : ''} aria-current={isAny ? 'true' : undefined}
      >
        All jobs<span>{count(all)}</span>
      </a>
      {states.flatMap((state) => [
        <Facet
          key={state} name={state} jobs={countOf(queues, state)} href={href(state, null)}
          isOn={view.phase === null && view.states.includes(state)}
        />,
        ...(state === 'queued' ? phases : []).map((phase) => (
          <Facet
            key={phase} name={phase} jobs={countOf(queues, phase)} href={href('queued', phase)}
            isOn={view.phase === phase}
          />
        )),
      ])}
    </nav>
  )
}

function Facet({ name, jobs, href, isOn }: {
  readonly name: State | Phase
  readonly jobs: number
  readonly href: string
  readonly isOn: boolean
}) {
  const isSub = (phases as readonly string[]).includes(name)
  return (
    <a
      class={`is-${name}${isSub ? ' sub' : ''}${isOn ? ' on' : ''}`} href={href}
      aria-current={isOn ? 'true' : undefined}
    >
      <Icon name={name} />{name}<span>{count(jobs)}</span>
    </a>
  )
}
