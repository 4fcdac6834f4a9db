import { batch } from '@preact/signals'
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { WireQueue } from '../../gateway/protocol.ts'
import { charts, fetchCharts } from '../chart/charts.ts'
import { Trouble } from '../parts/blank.tsx'
import { Icon } from '../parts/icon.tsx'
import { isSeen } from '../page-env.ts'
import { useAsked } from '../shell/asked.ts'
import { place } from '../shell/router.ts'
import { client, isReadOnly, session, toError } from '../shell/session.ts'
import { tell } from '../shell/toasts.tsx'
import { count, counted } from '../shell/words.ts'
import { ChartCard } from './chart-card.tsx'
import { EdgeCard } from './edge-card.tsx'
import { FailuresCard } from './failures-card.tsx'
import { FleetFeed } from './feed.ts'
import type { FleetFilter } from './feed.ts'
import { Filters } from './filters.tsx'
import { gatewayHistory } from './history.ts'
import { importLog } from './imported.ts'
import { QueuesCard, toggleQueue } from './queues-card.tsx'
import { TimeCard } from './time-card.tsx'
import { frame, frameError, history, moment } from './travel.ts'

const aboutMs = 15_000
const firstJob = "await images.add('resize', { file: 'a.jpg' })"

export function FleetScreen() {
  const { query } = place.value
  const filter: FleetFilter = {
    queue: query.get('queue'), task: query.get('task'), partition: query.get('partition'),
  }
  const key = JSON.stringify(filter)
  const feed = useMemo(() => new FleetFeed(), [key])
  const isReady = session.value.state === 'ready'
  const isShown = isSeen.value
  const [imported, setImported] = useState<string | null>(null)
  useEffect(() => {
    if (!isReady || !isShown) return undefined
    return feed.start(filter)
  }, [feed, isReady, isShown])
  useEffect(() => {
    if (isReady) fetchCharts().catch((error: unknown) => { tell(toError(error).message, true) })
  }, [isReady])
  useGatewayHistory(feed, filter, imported !== null)
  const asked = useAsked(isReady ? 'queues' : null, () => client.queues(), aboutMs)
  const about = useMemo(
    () => new Map((asked.value ?? []).map((queue) => [queue.name, queue] as const)), [asked.value],
  )
  const edge = charts.value.job.edges.find(({ id }) => id === query.get('edge'))
  return (
    <>
      <h1 class="sr">Fleet</h1>
      {imported === null && <Filters feed={feed} filter={filter} about={about} />}
      {imported !== null && <ImportedBar name={imported} onLeave={() => { setImported(null) }} />}
      <div class={imported === null && isReady ? 'fleet' : 'fleet alone'}>
        <div class="stack">
          {feed.refused.value && (
            <section class="card">
              <Trouble title="The fleet cannot be shown" error={feed.refused.value} />
            </section>
          )}
          <Beginning feed={feed} />
          <ChartCard feed={feed} filter={filter} />
          <TimeCard
            filter={imported === null ? filter : null}
            onImport={(file) => { void open(file, setImported) }}
          />
        </div>
        {imported === null && isReady && (
          <div class="stack">
            {edge && <EdgeCard edge={edge} filter={filter} />}
            <Paused feed={feed} about={about} />
            <QueuesCard feed={feed} about={about} text={query.get('text') ?? ''} />
            <FailuresCard filter={filter} turn={feed.counts.value[6] ?? 0} />
          </div>
        )}
      </div>
    </>
  )
}

/** The log of the gateway is what the scrubber goes over, unless one was imported. */
function useGatewayHistory(feed: FleetFeed, filter: FleetFilter, isImported: boolean): void {
  const opened = feed.opened.value
  useEffect(() => {
    if (isImported) return
    history.value = opened?.hasHistory
      ? gatewayHistory(opened.edges, opened.keptFrom, filter.queue, filter.task) : null
  }, [opened, isImported])
}

async function open(file: File, setImported: (name: string | null) => void): Promise<void> {
  tell(`Reading ${file.name}`)
  try {
    const { history: log, transitions, fault } = await importLog(file, charts.value.job.edges)
    batch(() => {
      history.value = log
      frame.value = null
      frameError.value = null
      moment.value = log.end
    })
    setImported(file.name)
    const read = `${counted(transitions, 'transition')} of ${file.name}`
    tell(fault === null ? read : `${read}; ${fault}`, fault !== null)
  } catch (error) {
    tell(toError(error).message, true)
  }
}

function ImportedBar({ name, onLeave }: {
  readonly name: string
  readonly onLeave: () => void
}) {
  const leave = (): void => {
    batch(() => {
      history.value = null
      moment.value = null
      frame.value = null
    })
    onLeave()
  }
  return (
    <div class="bar blue imported">
      <span class="grow cut">Showing the imported log <b><bdi>{name}</bdi></b>.</span>
      <button class="btn sm" type="button" onClick={leave}>Leave it</button>
    </div>
  )
}

/** Nothing has ever happened: how it begins. */
function Beginning({ feed }: { readonly feed: FleetFeed }) {
  const opened = feed.opened.value
  const isEmpty = opened !== null && moment.value === null &&
    feed.counts.value.every((jobs) => jobs === 0) && feed.everTaken.value?.size === 0
  if (!isEmpty) return null
  return (
    <section class="card blank">
      <h2>No job yet</h2>
      <p>The chart shows each job the moment it is added. Add the first one:</p>
      <pre tabIndex={0} aria-label="Code">{firstJob}</pre>
    </section>
  )
}

const notesShown = 2

/** Queues that are paused while jobs wait: easily forgotten, so it is said in words. */
function Paused({ feed, about }: {
  readonly feed: FleetFeed
  readonly about: ReadonlyMap<string, WireQueue>
}) {
  const names = feed.opened.value?.queues ?? []
  const paused = [...feed.lines.value.values()]
    .filter(([, waiting, , , , isPaused]) => isPaused === 1 && waiting > 0)
    .sort(([, a], [, b]) => b - a)
  return (
    <>
      {paused.slice(0, notesShown).map(([place_, waiting]) => {
        const name = names[place_] ?? ''
        const may = !isReadOnly.value && about.get(name)?.can.includes('resume')
        return (
          <div class="note" key={name}>
            <Icon name="pause" />
            <p><b><bdi>{name}</bdi></b> is paused; {counted(waiting, 'job waits', 'jobs wait')}.</p>
            {may && (
              <button
                class="btn sm" type="button" onClick={() => { toggleQueue(feed, name, true) }}
              >
                Resume
              </button>
            )}
          </div>
        )
      })}
      {paused.length > notesShown && (
        <p class="muted">{count(paused.length - notesShown)} more are paused.</p>
      )}
    </>
  )
}
