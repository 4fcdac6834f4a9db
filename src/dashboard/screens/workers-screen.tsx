import type { WireQueue } from '../../gateway/protocol.ts'
import type { WorkerInfo } from '../../stores/reading.ts'
import { Empty, Loading, Trouble } from '../parts/blank.tsx'
import { Icon } from '../parts/icon.tsx'
import { Table } from '../parts/table.tsx'
import type { Column } from '../parts/table.tsx'
import { second } from '../page-env.ts'
import { useAsked } from '../shell/asked.ts'
import { hrefOf } from '../shell/router.ts'
import { client, refusalOf } from '../shell/session.ts'
import { ago, count, counted, fullTime } from '../shell/words.ts'
import { fitting, useIsNarrow } from '../parts/narrow.ts'
import { noting } from './noting.ts'

const refreshMs = 2000
const queuesMs = 5000
/** A beat comes each 10 s or oftener: one that is older than this is worth a word. */
const lateMs = 20_000
const shownNotes = 5

export function WorkersScreen() {
  const { value: workers, error, again } =
    useAsked<readonly WorkerInfo[]>('workers', () => noting(client.workers()), refreshMs)
  const queues = useAsked<readonly WireQueue[]>('queues', () => noting(client.queues()), queuesMs)
  return (
    <div class="page">
      <h1>Workers</h1>
      {workers && <Backlogs workers={workers} queues={queues.value ?? []} />}
      <section class="card" aria-label="Workers">
        {workers === null
          ? error ? <NoWord error={error} again={again} /> : <Loading what="workers" />
          : workers.length === 0 ? <NoWorker /> : <List workers={workers} />}
      </section>
    </div>
  )
}

function NoWord({ error, again }: { readonly error: Error; readonly again: () => void }) {
  if (refusalOf(error) === 'forbidden') {
    return (
      <Empty title="Workers are not for you to see">
        <p>That takes the right to operate; the rest of the dashboard works without it.</p>
      </Empty>
    )
  }
  return <Trouble title="The workers cannot be read" error={error} again={again} />
}

function NoWorker() {
  return (
    <Empty title="No worker is alive" code="await troupe.start()">
      <p>
        A process is listed here from its start to its stop, and for a while after it died.
        Jobs that are added wait until one starts:
      </p>
    </Empty>
  )
}

/** Work that nobody does, in words. */
function Backlogs({ workers, queues }: {
  readonly workers: readonly WorkerInfo[]
  readonly queues: readonly WireQueue[]
}) {
  const served = new Set(workers.flatMap((worker) => worker.queues
    .filter(({ tasks }) => tasks.length > 0).map(({ name }) => name)))
  const left = queues.filter(({ name, counts, paused }) =>
    counts.ready > 0 && !paused && !served.has(name))
    .sort((a, b) => b.counts.ready - a.counts.ready)
  return (
    <>
      {left.slice(0, shownNotes).map(({ name, counts }) => (
        <div class="note" role="status" key={name}>
          <Icon name="queued" />
          <p>
            <b>{counted(counts.ready, 'job')}</b> of <b><bdi>{name}</bdi></b> {' '}
            {counts.ready === 1 ? 'is' : 'are'} ready, and no live worker works on this queue:
            nothing will happen until one starts.
          </p>
          <a
            class="btn sm"
            href={hrefOf('jobs', [], { queue: name, state: 'queued', phase: 'ready' })}
          >
            See them
          </a>
        </div>
      ))}
      {left.length > shownNotes && (
        <p class="muted">{counted(left.length - shownNotes, 'more queue')} without a worker.</p>
      )}
    </>
  )
}

function List({ workers }: { readonly workers: readonly WorkerInfo[] }) {
  const now = second.value
  const isNarrow = useIsNarrow()
  const sorted = [...workers].sort((a, b) => a.worker.localeCompare(b.worker))
  return (
    <Table
      label="Workers" rows={sorted} keyOf={({ worker }) => worker}
      columns={fitting<Column<WorkerInfo>>([
        {
          title: 'Worker',
          width: 'w-worker',
          cell: ({ worker }) => <b class="strong" title={worker}><bdi>{worker}</bdi></b>,
        },
        {
          title: 'Heartbeat',
          width: 'w-beat',
          cell: ({ at }) => <Beat ageMs={now - at} at={at} />,
        },
        { title: 'Running', width: 'w-few', isNumber: true, cell: ({ running }) => count(running) },
        {
          title: 'Queues and tasks',
          cell: ({ queues }) => <Work queues={queues} />,
        },
        {
          title: 'Up',
          width: 'w-few only-wide',
          cell: ({ startedAt }) => <span title={fullTime(startedAt)}>{ago(now - startedAt)}</span>,
        },
        {
          title: 'Version', width: 'w-few only-wide',
          cell: ({ version }) => <span class="mono muted"><bdi>{version}</bdi></span>,
        },
      ], isNarrow)}
    />
  )
}

function Beat({ ageMs, at }: { readonly ageMs: number; readonly at: number }) {
  const isLate = ageMs > lateMs
  return (
    <span class="status" title={fullTime(at)}>
      <span class={isLate ? 'dot lost' : 'dot'} />
      {ago(ageMs)} ago{isLate ? ', late: it is blocked, or gone' : ''}
    </span>
  )
}

function Work({ queues }: { readonly queues: WorkerInfo['queues'] }) {
  const text = queues.map(({ name, tasks }) =>
    `${name}: ${tasks.length === 0 ? 'adds only' : tasks.join(', ')}`).join('; ')
  return (
    <span class="soft" title={text}>
      {queues.map(({ name, tasks }, index) => (
        <span key={name}>
          {index > 0 && '; '}
          <a class="strong" href={hrefOf('jobs', [], { queue: name })}><bdi>{name}</bdi></a> {' '}
          <bdi class="muted">{tasks.length === 0 ? 'adds only' : tasks.join(', ')}</bdi>
        </span>
      ))}
    </span>
  )
}
