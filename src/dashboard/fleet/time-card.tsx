import { signal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import type { WireSeries } from '../../gateway/fleet-protocol.ts'
import { IconButton, Segments } from '../parts/controls.tsx'
import { Icon } from '../parts/icon.tsx'
import { now, second } from '../page-env.ts'
import { useAsked } from '../shell/asked.ts'
import { useShortcuts } from '../shell/keyboard.ts'
import { doAndTell, tell } from '../shell/toasts.tsx'
import { clockTime, dayOf } from '../shell/words.ts'
import type { FleetFilter } from './feed.ts'
import type { History } from './history.ts'
import { Scrubber } from './scrubber.tsx'
import {
  frame, frameError, goLive, history, isPlaying, moment, speed, speeds, step, togglePlay,
} from './travel.ts'

const ranges = [['15', '15 min'], ['60', '1 h'], ['360', '6 h'], ['all', 'All kept']] as const
type Range = (typeof ranges)[number][0]
/** Null: nobody has chosen yet. */
const picked = signal<Range | null>(null)
/** At most, and none of less than two seconds. */
const mostPoints = 180
const fewestPoints = 30
const shortestPointMs = 2000
const refreshMs = 5000
const shortestMs = 60_000

/** The scrubber with its buttons: how one gets to a moment and back. */
export function TimeCard({ filter, onImport }: {
  /** Null for an imported log: it is shown as it is. */
  readonly filter: FleetFilter | null
  readonly onImport: (file: File) => void
}) {
  const log = history.value
  useShortcuts('Time', [
    { keys: '[', does: 'step back', act: () => { void step('previous') } },
    { keys: ']', does: 'step forward', act: () => { void step('next') } },
    { keys: 'l', does: 'live', act: goLive },
    { keys: 'Space', does: 'play, pause', act: togglePlay },
  ])
  return (
    <section class="card scrub" aria-label="Time travel">
      <div class="row">
        <Transport log={log} />
        <span class="grow" />
        {log?.end === null && (
          <Segments
            label="Span shown" options={ranges} value={rangeOf(log)}
            onPick={(range) => { picked.value = range }}
          />
        )}
        {log && <Export log={log} />}
        <Import onImport={onImport} />
      </div>
      {log ? <Track key={String(log.end)} log={log} /> : (
        <p class="scrub-empty">
          There is no log to go back in here. An exported one can be imported.
        </p>
      )}
      {frameError.value && (
        <p class="scrub-empty bad" role="alert">
          This moment cannot be shown: {frameError.value.message}
        </p>
      )}
      {moment.value !== null && filter && <Unheeded filter={filter} />}
      {frame.value?.kept === false && <NotKept from={frame.value.keptFrom} />}
    </section>
  )
}

/** What the log does not tell, said where somebody filters by it. */
function Unheeded({ filter: { task, partition } }: { readonly filter: FleetFilter }) {
  if (partition === null && task === null) return null
  return (
    <p class="scrub-note" role="status">
      {partition !== null && <>
        The log does not say of which partition a job was: the past is shown of all partitions,
        not of <b><bdi>{partition}</bdi></b> alone.{' '}
      </>}
      {task !== null && <>
        Nobody counted <b><bdi>{task}</bdi></b> alone: what was there before the log begins, or was
        removed by retention, is estimated.
      </>}
    </p>
  )
}

function NotKept({ from }: { readonly from: number | null }) {
  return (
    <p class="scrub-empty" role="status">
      The log no longer keeps this moment{from === null ? '' : `: it begins at ${clockTime(from)}`}.
    </p>
  )
}

function Transport({ log }: { readonly log: History | null }) {
  const time = moment.value
  const at = time ?? second.value
  const isPast = time !== null
  return (
    <>
      {log?.end !== null && log ? <span class="chip">Imported log</span> : (
        <button
          class="btn live sm" type="button" aria-pressed={!isPast} onClick={goLive}
          title="Show now (l)"
        >
          <span class="dot" />Live
        </button>
      )}
      <IconButton icon="back" label="Step back ([)" onClick={() => { void step('previous') }} />
      <button
        class="btn sm icon" type="button" onClick={togglePlay} disabled={!isPast}
        aria-label={isPlaying.value ? 'Pause' : 'Play'} title={isPlaying.value ? 'Pause' : 'Play'}
      >
        <Icon name={isPlaying.value ? 'pause' : 'play'} />
      </button>
      <IconButton icon="forward" label="Step forward (])" onClick={() => { void step('next') }} />
      <Segments
        label="Speed" options={speeds.map((one) => [one, `${one}×`] as const)} value={speed.value}
        onPick={(chosen) => { speed.value = chosen }}
      />
      <span class="clock">{clockTime(at)} <small>{dayOf(at, now())}</small></span>
    </>
  )
}

/** All of a log that is young, else the last quarter of an hour. */
function rangeOf({ keptFrom }: History): Range {
  const isYoung = keptFrom !== null && now() - keptFrom < 15 * 60_000
  return picked.value ?? (isYoung ? 'all' : '15')
}

function pointsOf(ms: number): number {
  return Math.min(mostPoints, Math.max(fewestPoints, Math.round(ms / shortestPointMs)))
}

/** What the scrubber goes over now. */
function spanOf(log: History): readonly [from: number, to: number] {
  if (log.end !== null) return [log.keptFrom ?? log.end, Math.max(log.end, (log.keptFrom ?? 0) + 1)]
  const to = now()
  const range = rangeOf(log)
  const from = range === 'all' ? log.keptFrom ?? to : to - Number(range) * 60_000
  return [Math.min(from, to - shortestMs), to]
}

function Track({ log }: { readonly log: History }) {
  const { value, error } = useAsked<WireSeries>(
    `${rangeOf(log)} ${String(log.keptFrom)} ${String(log.end)}`,
    () => {
      const [from, to] = spanOf(log)
      return log.series(from, to, pointsOf(to - from))
    },
    log.end === null ? refreshMs : null,
  )
  const last = useRef(value)
  if (value) last.current = value
  if (error && !last.current) {
    return <p class="scrub-empty bad" role="alert">The log cannot be read: {error.message}</p>
  }
  if (!last.current) return <div class="scrub-wait" />
  return <Scrubber series={last.current} end={last.current.to} />
}

function Export({ log }: { readonly log: History }) {
  const save = async (): Promise<string> => {
    const [from, to] = spanOf(log)
    const blob = await log.lines(from, to)
    const link = document.createElement('a')
    link.href = URL.createObjectURL(blob)
    link.download = `troupe-${new Date(from).toISOString().slice(0, 19).replaceAll(':', '')}.jsonl`
    link.click()
    URL.revokeObjectURL(link.href)
    return `Exported ${clockTime(from)} to ${clockTime(to)}`
  }
  return (
    <button
      class="btn ghost sm" type="button" onClick={() => { void doAndTell(save) }}
      title="The shown span, a line of JSON for each transition"
    >
      <Icon name="out" />Export
    </button>
  )
}

function Import({ onImport }: { readonly onImport: (file: File) => void }) {
  const field = useRef<HTMLInputElement>(null)
  return (
    <>
      <button
        class="btn ghost sm" type="button" onClick={() => { field.current?.click() }}
        title="An exported log, at most 200,000 transitions; it does not leave this page"
      >
        <Icon name="into" />Import
      </button>
      <input
        ref={field} hidden type="file" accept=".jsonl,.ndjson,application/x-ndjson"
        aria-label="Exported log"
        onChange={(event) => {
          const file = event.currentTarget.files?.[0]
          event.currentTarget.value = ''
          if (!file) tell('No file was chosen')
          else onImport(file)
        }}
      />
    </>
  )
}
