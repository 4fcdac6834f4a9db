import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { WireQueueLine } from '../../gateway/fleet-protocol.ts'
import type { WireQueue } from '../../gateway/protocol.ts'
import { Empty, Loading } from '../parts/blank.tsx'
import { IconButton } from '../parts/controls.tsx'
import { Icon } from '../parts/icon.tsx'
import { Sparkline } from '../parts/sparkline.tsx'
import { useRowKeys } from '../parts/table.tsx'
import { second } from '../page-env.ts'
import { useShortcuts } from '../shell/keyboard.ts'
import { hrefOf, place, setQuery } from '../shell/router.ts'
import { client, isReadOnly } from '../shell/session.ts'
import { doAndTell } from '../shell/toasts.tsx'
import { ago, count, rate } from '../shell/words.ts'
import type { FleetFeed } from './feed.ts'
import { moment } from './travel.ts'

const rowHeight = 44
const rowsShown = 8
const firstQueue = "const images = troupe.queue('images', { tasks: { resize } })"

/** One queue as it is listed. */
interface Row {
  readonly name: string
  readonly line: WireQueueLine
  readonly past: readonly number[]
  readonly about: WireQueue | null
}

/** Pauses or resumes a queue, for every process. */
export function toggleQueue(feed: FleetFeed, name: string, isPaused: boolean): void {
  void doAndTell(async () => {
    const queue = client.queue(name)
    await (isPaused ? queue.resume() : queue.pause())
    feed.notePaused(name, !isPaused)
    return isPaused ? `${name} was resumed` : `${name} was paused, for every process`
  })
}

/** Queues with what is going on in each. Their order changes only with the filter. */
export function QueuesCard({ feed, about, text }: {
  readonly feed: FleetFeed
  readonly about: ReadonlyMap<string, WireQueue>
  readonly text: string
}) {
  const opened = feed.opened.value
  const names = opened?.queues ?? []
  const lines = feed.lines.value
  const past = feed.pastOf.value
  const order = useMemo(() => orderOf(names, lines, text), [names, text, lines.size])
  const rows = order.flatMap((index): Row[] => {
    const name = names[index]
    const line = lines.get(index)
    if (name === undefined || !line) return []
    return [{ name, line, past: past.get(index) ?? [], about: about.get(name) ?? null }]
  })
  const sorted = moment.value === null ? 'by what waits and runs' : 'as they are now'
  const cursor = useRowKeys('Queues', rows.length, (index) => {
    const row = rows[index]
    if (row) setQuery({ queue: row.name })
  })
  useShortcuts('Queue under the cursor', [{
    keys: 'p', does: 'pause or resume',
    act: () => {
      const row = rows[cursor]
      if (row && mayToggle(row)) toggleQueue(feed, row.name, row.line[5] === 1)
    },
  }])
  return (
    <section class="card" aria-labelledby="queues">
      <header>
        <h2 id="queues">Queues</h2>
        <span class="sub">
          {opened !== null && `${count(rows.length)}, ${sorted}`}
        </span>
      </header>
      {opened === null && <Loading what="queues" />}
      {opened !== null && rows.length === 0 && (
        <NoQueue isFiltered={text !== '' || names.length > 0} />
      )}
      {rows.length > 0 && (
        <>
          <div class="qgrid head" aria-hidden="true">
            <span>Queue</span><span class="q-spark">Done/s</span><span class="num">Waiting</span>
            <span class="num">Running</span><span class="num">Oldest</span><span />
          </div>
          <Rows feed={feed} rows={rows} cursor={cursor} />
        </>
      )}
    </section>
  )
}

function orderOf(
  names: readonly string[], lines: ReadonlyMap<number, WireQueueLine>, text: string,
): readonly number[] {
  const wanted = text.toLowerCase()
  const busy = (index: number): number => {
    const [, waiting = 0, running = 0, throughput = 0] = lines.get(index) ?? []
    return waiting + running * 10 + throughput * 10
  }
  return names.map((_name, index) => index)
    .filter((index) => names[index]?.toLowerCase().includes(wanted))
    .sort((a, b) => busy(b) - busy(a) || (names[a] ?? '').localeCompare(names[b] ?? ''))
}

function NoQueue({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) return <Empty title="No queue has this name" />
  return (
    <Empty title="No queue yet" code={firstQueue}>
      <p>Queues that a process has declared are listed here, with what waits and what runs.</p>
    </Empty>
  )
}

/** Only the rows that are seen, and a few around them, are in the page. */
function Rows({ feed, rows, cursor }: {
  readonly feed: FleetFeed
  readonly rows: readonly Row[]
  readonly cursor: number
}) {
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const all = rows.length * rowHeight
  const first = Math.max(0, Math.floor(top / rowHeight) - 2)
  const shown = rows.slice(first, first + rowsShown + 5)
  const isTall = rows.length > rowsShown
  useEffect(() => {
    const place = box.current
    if (!place || cursor < 0) return
    const y = cursor * rowHeight
    if (y < place.scrollTop) place.scrollTop = y
    else if (y + rowHeight > place.scrollTop + place.clientHeight) {
      place.scrollTop = y + rowHeight - place.clientHeight
    }
  }, [cursor])
  return (
    <div
      ref={box} class="qrows" role="list" aria-label="Queues" tabIndex={isTall ? 0 : -1}
      onScroll={(event) => { setTop(event.currentTarget.scrollTop) }}
    >
      <div style={{ height: `${first * rowHeight}px` }} />
      {shown.map((row, index) => (
        <QueueRow
          key={row.name} row={row} isCurrent={first + index === cursor}
          onToggle={() => { toggleQueue(feed, row.name, row.line[5] === 1) }}
        />
      ))}
      <div style={{ height: `${Math.max(0, all - (first + shown.length) * rowHeight)}px` }} />
    </div>
  )
}

function mayToggle({ line, about }: Row): boolean {
  return !isReadOnly.value && (about?.can.includes(line[5] === 1 ? 'resume' : 'pause') ?? false)
}

function QueueRow({ row, isCurrent, onToggle }: {
  readonly row: Row
  readonly isCurrent: boolean
  readonly onToggle: () => void
}) {
  const { name, line, past } = row
  const [, waiting, running, throughput, oldestAt, paused] = line
  const isPaused = paused === 1
  const { query } = place.value
  const href = hrefOf('fleet', [], { ...Object.fromEntries(query), queue: name })
  return (
    <div class={isCurrent ? 'qgrid qrow cur' : 'qgrid qrow'} role="listitem">
      <div class="cut">
        <a class="name cut" href={href} title={name}><bdi>{name}</bdi></a>
        <div class="line2 cut"><Marks row={row} /></div>
      </div>
      <div class="q-spark"><Sparkline values={past} still={throughput === 0} /></div>
      <div class="num">
        <span class="big">{count(waiting)}<span class="sr"> waiting</span></span>
        <span class="unit">{rate(throughput)}</span>
      </div>
      <div class="num soft">{count(running)}<span class="sr"> running</span></div>
      <div class="num soft">
        {oldestAt === null ? '–' : ago(second.value - oldestAt)}
        <span class="sr"> oldest</span>
      </div>
      {mayToggle(row) ? (
        <IconButton
          icon={isPaused ? 'play' : 'pause'} label={`${isPaused ? 'Resume' : 'Pause'} ${name}`}
          onClick={onToggle}
        />
      ) : <span />}
    </div>
  )
}

/** Paused and limited, in words; else the tasks. */
function Marks({ row: { line, about } }: { readonly row: Row }) {
  const [, , , , , paused, limitedUntil] = line
  const isLimited = limitedUntil !== null && limitedUntil > second.value
  if (paused === 0 && !isLimited) {
    const tasks = about?.tasks.join(', ') ?? ''
    return <span class="cut" title={tasks}><bdi>{tasks === '' ? '\u00a0' : tasks}</bdi></span>
  }
  return (
    <>
      {paused === 1 && <span class="chip warn"><Icon name="pause" />Paused</span>}
      {isLimited && (
        <span class="chip st is-queued">
          <Icon name="gauge" />Limited, {ago(limitedUntil - second.value)}
        </span>
      )}
    </>
  )
}
