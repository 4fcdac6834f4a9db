import { useState } from 'preact/hooks'
import type { WireQueue } from '../../gateway/protocol.ts'
import type { Schedule } from '../../orchestrator/schedules/schedules.ts'
import { Empty, Loading, Trouble } from '../parts/blank.tsx'
import { Confirm, Find, IconButton, Pick } from '../parts/controls.tsx'
import type { IconName } from '../parts/icon.tsx'
import { Table } from '../parts/table.tsx'
import type { Column } from '../parts/table.tsx'
import { second } from '../page-env.ts'
import { useAsked } from '../shell/asked.ts'
import { go, hrefOf, place, setQuery } from '../shell/router.ts'
import { client, isReadOnly } from '../shell/session.ts'
import { doAndTell } from '../shell/toasts.tsx'
import { ago, count, fullTime } from '../shell/words.ts'
import { fitting, useIsNarrow } from '../parts/narrow.ts'
import { noting } from './noting.ts'
import { Preview } from './schedules/preview.tsx'
import { boundWords, ownZone, ruleWords, whenWords } from './schedules/rules.ts'

const refreshMs = 5000
/** Queues that are asked at once; of more, one has to be picked. */
const askedQueues = 40

interface Row {
  readonly queue: string
  readonly schedule: Schedule
  readonly may: boolean
}
interface Answer {
  readonly names: readonly string[]
  readonly rows: readonly Row[]
  readonly left: number
}

async function read(only: string | null): Promise<Answer> {
  const queues = await client.queues()
  const wanted = queues.filter(({ name }) => only === null || name === only)
  const asked = wanted.slice(0, askedQueues)
  const rows = await Promise.all(asked.map(async ({ name, can }: WireQueue) => {
    const schedules = await client.queue(name).schedules.list()
    return schedules.map((schedule) => ({ queue: name, schedule, may: can.includes('schedule') }))
  }))
  const names = queues.map(({ name }) => name)
  return { names, rows: rows.flat(), left: wanted.length - asked.length }
}

export function SchedulesScreen() {
  const { query } = place.value
  const queue = query.get('queue')
  const text = (query.get('text') ?? '').toLowerCase()
  const { value, error, again } =
    useAsked<Answer>(queue ?? '', () => noting(read(queue)), refreshMs)
  const [previewed, setPreviewed] = useState<Row | null>(null)
  const [removing, setRemoving] = useState<Row | null>(null)
  const rows = (value?.rows ?? []).filter(({ queue: of, schedule: { key, task } }) =>
    `${of} ${key} ${task}`.toLowerCase().includes(text))
  return (
    <>
      <div class="filters">
        <Find
          label="Find a schedule" value={query.get('text') ?? ''}
          onInput={(typed) => { setQuery({ text: typed || null }) }}
        />
        <Pick
          label="Queue" any="all" options={(value?.names ?? []).slice(0, 1000)} value={queue}
          onPick={(name) => { setQuery({ queue: name }) }}
        />
        <span class="grow" />
        <span class="muted only-wide">Times of your zone, {ownZone()}</span>
      </div>
      <div class="page list-page">
        <h1 class="sr">Schedules</h1>
        {value !== null && value.left > 0 && (
          <p class="muted">
            Of the first {askedQueues} queues; {count(value.left)} more are there: pick one.
          </p>
        )}
        <section class="card scroll-x" aria-label="Schedules">
          {value === null
            ? error
              ? <Trouble title="The schedules cannot be read" error={error} again={again} />
              : <Loading what="schedules" />
            : value.rows.length === 0 ? <NoSchedule />
              : rows.length === 0 ? <Empty title="No schedule is like that" />
                : <List
                    rows={rows} again={again} onPreview={setPreviewed} onRemove={setRemoving}
                  />}
        </section>
      </div>
      {previewed && (
        <Preview
          queue={previewed.queue} schedule={previewed.schedule.key}
          onClose={() => { setPreviewed(null) }}
        />
      )}
      {removing && (
        <Confirm
          title={`Remove ${removing.schedule.key} of ${removing.queue}?`} verb="Remove it"
          onNo={() => { setRemoving(null) }}
          onYes={() => {
            const { queue: of, schedule: { key } } = removing
            setRemoving(null)
            void doAndTell(async () => {
              await client.queue(of).schedules.remove(key)
              return `${key} was removed`
            }).then(again)
          }}
        >
          <p class="soft">Nothing fires any more. Jobs that it has added stay.</p>
        </Confirm>
      )}
    </>
  )
}

function NoSchedule() {
  return (
    <Empty
      title="No schedule yet"
      code="await images.schedules.upsert('nightly', { cron: '0 3 * * *', task: 'clean' })"
    >
      <p>A schedule adds a job again and again. The first one:</p>
    </Empty>
  )
}

function List({ rows, again, onPreview, onRemove }: {
  readonly rows: readonly Row[]
  readonly again: () => void
  readonly onPreview: (row: Row) => void
  readonly onRemove: (row: Row) => void
}) {
  const isNarrow = useIsNarrow()
  const now = second.value
  return (
    <Table
      label="Schedules" rows={rows} onOpen={onPreview}
      keyOf={({ queue, schedule }) => `${queue}\0${schedule.key}`}
      columns={fitting<Column<Row>>([
        {
          title: 'Schedule',
          width: 'w-sched',
          cell: ({ schedule: { key, paused } }) => (
            <>
              <b class="strong" title={key}><bdi>{key}</bdi></b>
              {paused && <> <span class="chip warn">paused</span></>}
            </>
          ),
        },
        {
          title: 'Next', width: 'w-when',
          cell: ({ schedule }) => <Next schedule={schedule} now={now} />,
        },
        {
          title: 'Last', width: 'w-when',
          cell: ({ queue, schedule: { lastAt, lastJobId } }) => (lastAt === null
            ? <span class="muted">not yet</span>
            : <a
                class="link" href={hrefOf('jobs', [queue, lastJobId ?? ''])}
                title={fullTime(lastAt)}
              >
                {whenWords(lastAt, now)}
              </a>),
        },
        {
          title: 'Rule', width: 'only-wide',
          cell: ({ schedule }) => <Rule schedule={schedule} />,
        },
        {
          title: 'Adds', width: 'only-wide',
          cell: ({ queue, schedule: { task } }) => (
            <a class="soft" href={hrefOf('jobs', [], { queue, task })}>
              <bdi>{queue}</bdi> <span class="muted">/</span> <bdi>{task}</bdi>
            </a>
          ),
        },
        {
          title: 'Fired', width: 'w-few only-wide', isNumber: true,
          cell: ({ schedule }) => <Fired schedule={schedule} />,
        },
        {
          title: 'Do', width: 'w-do',
          cell: (row) => (
            <Buttons row={row} again={again} onPreview={onPreview} onRemove={onRemove} />
          ),
        },
      ], isNarrow)}
    />
  )
}

function Next({ schedule, now }: { readonly schedule: Schedule; readonly now: number }) {
  const { nextAt, paused } = schedule
  if (nextAt === null) return <span class="muted">{paused ? 'when resumed' : 'never again'}</span>
  return (
    <span title={fullTime(nextAt)}>
      {whenWords(nextAt, now)} {' '}
      <span class="muted">{nextAt <= now ? 'now' : `in ${ago(nextAt - now)}`}</span>
    </span>
  )
}

function Fired({ schedule: { fired, skipped, missed } }: { readonly schedule: Schedule }) {
  const left = skipped + missed
  return (
    <span title={`${count(skipped)} skipped, ${count(missed)} missed`}>
      {count(fired)}{left > 0 && <span class="muted"> −{count(left)}</span>}
    </span>
  )
}

function Rule({ schedule }: { readonly schedule: Schedule }) {
  const words = [ruleWords(schedule), boundWords(schedule)].filter((text) => text !== '').join('; ')
  return (
    <span
      class="soft" title={`${words}; overlap: ${schedule.overlap}; catch up: ${schedule.catchUp}`}
    >
      <bdi>{words}</bdi>
    </span>
  )
}

function Buttons({ row, again, onPreview, onRemove }: {
  readonly row: Row
  readonly again: () => void
  readonly onPreview: (row: Row) => void
  readonly onRemove: (row: Row) => void
}) {
  const { queue, schedule: { key, paused }, may } = row
  const face = client.queue(queue).schedules
  const act = (work: () => Promise<string>): void => { void doAndTell(work).then(again) }
  const isNarrow = useIsNarrow()
  const button = (icon: IconName, text: string, label: string, onClick: () => void) => (isNarrow
    ? <IconButton icon={icon} label={label} onClick={onClick} />
    : <button class="btn ghost sm" type="button" aria-label={label} onClick={onClick}>
        {text}
      </button>)
  return (
    <span class="row-buttons">
      {button('delayed', 'Preview', `Preview the next runs of ${key}`, () => { onPreview(row) })}
      {may && !isReadOnly.value && (
        <>
          {button(paused ? 'play' : 'pause', paused ? 'Resume' : 'Pause',
            `${paused ? 'Resume' : 'Pause'} ${key}`, () => {
            act(async () => {
              await (paused ? face.resume(key) : face.pause(key))
              return `${key} was ${paused ? 'resumed' : 'paused'}`
            })
          })}
          {button('forward', 'Run now', `Run now: ${key}`, () => {
            act(async () => {
              const { id, created } = await face.trigger(key)
              if (created) go(hrefOf('jobs', [queue, id]))
              return created ? `${key} added a job`
                : `${key} has a job that is not settled: none was added`
            })
          })}
          <IconButton icon="close" label={`Remove ${key}`} onClick={() => { onRemove(row) }} />
        </>
      )}
    </span>
  )
}
