import { fleetPaths } from '../../gateway/fleet-protocol.ts'
import type { WireChartEdge, WireTraversals } from '../../gateway/fleet-protocol.ts'
import { edgeName } from '../chart/chart-edge.tsx'
import { Empty, Loading, Trouble } from '../parts/blank.tsx'
import { IconButton } from '../parts/controls.tsx'
import { second } from '../page-env.ts'
import { ask } from '../shell/ask.ts'
import { useAsked } from '../shell/asked.ts'
import { hrefOf, setQuery } from '../shell/router.ts'
import { ago, clockTime, eventWords, fullTime } from '../shell/words.ts'
import type { FleetFilter } from './feed.ts'

const refreshMs = 2000

/** The last transitions that ran along an edge of the chart. */
export function EdgeCard({ edge, filter: { queue, task } }: {
  readonly edge: WireChartEdge
  readonly filter: FleetFilter
}) {
  const name = edgeName(edge, { perSecond: null, isNever: false, taken: 0 })
  const { value, error, again } = useAsked<WireTraversals>(
    `${edge.id} ${queue ?? ''} ${task ?? ''}`,
    () => ask<WireTraversals>(fleetPaths.traversals, { edge: edge.id, queue, task, limit: '20' }),
    refreshMs,
  )
  return (
    <section class="card" aria-labelledby="edge">
      <header>
        <h2 id="edge" class="cut">{name}</h2>
        <span class="sub cut">from {edge.sources.join(', ')} to {edge.target}</span>
        <span class="grow" />
        <IconButton icon="close" label="Close" onClick={() => { setQuery({ edge: null }) }} />
      </header>
      {value === null && error && (
        <Trouble title="The log cannot be read" error={error} again={again} />
      )}
      {value === null && !error && <Loading what="transitions" />}
      {value?.transitions.length === 0 && (
        <Empty title="Not taken">
          <p>{value.stoppedAt === null
            ? 'The log keeps no transition along this edge.'
            : `None since ${clockTime(value.stoppedAt)}; older ones were not looked for.`}</p>
        </Empty>
      )}
      <ol class="fails edge-list" tabIndex={0} aria-label={`Last transitions: ${name}`}>
        {value?.transitions.map((one) => (
          <li key={`${one.queue} ${one.seq}`}>
            <span class="ago" title={fullTime(one.at)}>{ago(second.value - one.at)}</span>
            <a class="who cut" href={hrefOf('jobs', [one.queue, one.jobId])}>
              <bdi>{one.task}</bdi> <span>on <bdi>{one.queue}</bdi></span>
            </a>
            <span class="muted">{eventWords(one.event)}</span>
            <span class="msg cut"><bdi>{one.error?.message ?? one.jobId}</bdi></span>
          </li>
        ))}
      </ol>
    </section>
  )
}
