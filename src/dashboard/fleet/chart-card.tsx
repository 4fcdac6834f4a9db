import { useMemo } from 'preact/hooks'
import { jobGeometry } from '../chart/geometry.ts'
import { JobChart } from '../chart/job-chart.tsx'
import { charts } from '../chart/charts.ts'
import { Segments } from '../parts/controls.tsx'
import { useIsNarrow } from '../parts/narrow.ts'
import { hrefOf, place, setQuery } from '../shell/router.ts'
import type { FleetFeed, FleetFilter } from './feed.ts'
import { pulseLimit, shownView } from './fleet-view.ts'
import type { FleetView } from './fleet-view.ts'
import { QueueChart } from './queue-chart.tsx'
import { moment } from './travel.ts'

const phases: ReadonlySet<string> = new Set(['ready', 'delayed', 'blocked'])

/** The chart of jobs, or of the control of queues. */
export function ChartCard({ feed, filter }: {
  readonly feed: FleetFeed
  readonly filter: FleetFilter
}) {
  const shown = useMemo(() => shownView(feed), [feed])
  const view = shown.value
  const isNarrow = useIsNarrow()
  const tab = place.value.query.get('chart') === 'queue' ? 'queue' : 'jobs'
  return (
    <section class="card chart-card" aria-labelledby="chart">
      <header>
        <h2 id="chart">{tab === 'jobs' ? 'Job chart' : 'Control chart of a queue'}</h2>
        <span class="sub cut">{tab === 'jobs' && view.queued !== null ? speedOf(view) : ''}</span>
        <span class="grow" />
        <Segments
          label="Chart" options={[['jobs', 'Jobs'], ['queue', 'Queue control']]} value={tab}
          onPick={(picked) => { setQuery({ chart: picked === 'queue' ? picked : null }) }}
        />
      </header>
      <div class="chart-box">
        {tab === 'queue'
          ? <QueueChart feed={feed} isNarrow={isNarrow} />
          : <Jobs view={view} filter={filter} isNarrow={isNarrow} />}
      </div>
    </section>
  )
}

function speedOf({ perSecond }: FleetView): string {
  const speed = perSecond >= 100 ? perSecond.toFixed(0) : perSecond.toFixed(1)
  return `${speed} transitions a second`
}

function Jobs({ view, filter, isNarrow }: {
  readonly view: FleetView
  readonly isNarrow: boolean
  readonly filter: FleetFilter
}) {
  const { node, edge, queued, perSecond } = view
  const { query } = place.value
  return (
    <JobChart
      chart={charts.value.job} geometry={isNarrow ? jobGeometry.narrow : jobGeometry.wide}
      node={node} edge={edge} queued={queued} current={query.get('edge')}
      mayPulse={moment.value === null && perSecond < pulseLimit}
      stateHref={(id) => hrefOf('jobs', [], {
        ...filter, ...(phases.has(id) ? { state: 'queued', phase: id } : { state: id }),
      })}
      edgeHref={(id) => hrefOf('fleet', [], { ...Object.fromEntries(query), edge: id })}
    />
  )
}
