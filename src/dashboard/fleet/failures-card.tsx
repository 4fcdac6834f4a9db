import { fleetPaths } from '../../gateway/fleet-protocol.ts'
import type { WireFailures } from '../../gateway/fleet-protocol.ts'
import { Empty, Loading, Trouble } from '../parts/blank.tsx'
import { second } from '../page-env.ts'
import { alikeHref } from '../screens/jobs/alike.ts'
import { ask } from '../shell/ask.ts'
import { useAsked } from '../shell/asked.ts'
import { hrefOf } from '../shell/router.ts'
import { ago, clockTime, count, fullTime } from '../shell/words.ts'
import type { FleetFilter } from './feed.ts'
import { frame, moment } from './travel.ts'

const refreshMs = 5000

/**
 * The last ten jobs that failed for good; in the past, those that had until then. `turn` changes
 * when there may be others.
 */
export function FailuresCard({ filter, turn }: {
  readonly filter: FleetFilter
  readonly turn: number
}) {
  const { queue, task, partition } = filter
  // Moments that were passed by are not asked for: these go by what the chart shows.
  const time = moment.value === null ? null : frame.value?.time ?? moment.value
  const until = time === null ? null : String(Math.round(time))
  const isOpen = time !== null && frame.value === null
  const asked = useAsked<WireFailures>(
    isOpen ? null : `${JSON.stringify(filter)} ${until ?? String(turn)}`,
    () => ask<WireFailures>(fleetPaths.failures, until === null
      ? { queue, task, partition, limit: '10' } : { queue, task, until, limit: '10' }),
    time === null ? refreshMs : null,
  )
  const kept = asked.value?.kept ?? null
  const state = { state: 'failed', queue, task, partition }
  return (
    <section class="card" aria-labelledby="failures">
      <header>
        <h2 id="failures">Last failures</h2>
        <span class="sub cut">
          {time !== null ? `until ${clockTime(time)}${partition === null ? '' : ', all partitions'}`
            : kept === null ? '' : `${count(kept)} kept`}
        </span>
        <span class="grow" />
        <a class="btn ghost sm" href={hrefOf('jobs', [], state)}>All failed</a>
      </header>
      <Failures
        value={asked.value} now={time ?? second.value}
        error={asked.error} again={asked.again} isPast={time !== null}
      />
    </section>
  )
}

function Failures({ value, now, isPast, error, again }: {
  readonly value: WireFailures | null
  /** Ages count from there. */
  readonly now: number
  readonly isPast: boolean
  readonly error: Error | null
  readonly again: () => void
}) {
  if (value === null) {
    if (error) return <Trouble title="The failures cannot be read" error={error} again={again} />
    return <Loading what="failures" />
  }
  if (value.failures.length === 0 && isPast) {
    return (
      <Empty title="Nothing had failed">
        <p>The log keeps no failure until that moment, or none for 10,000 transitions.</p>
      </Empty>
    )
  }
  if (value.failures.length === 0) {
    return (
      <Empty title="Nothing has failed">
        <p>Jobs that have no attempt left are listed here, the newest first, with their error.</p>
      </Empty>
    )
  }
  return (
    <ol class="fails">
      {value.failures.map(({ queue: of, id, task, label, at, reason, error: fault }) => (
        <li key={`${of} ${id} ${String(at)}`}>
          <span class="ago" title={fullTime(at)}>{ago(now - at)}</span>
          <a class="who cut" href={hrefOf('jobs', [of, id])}>
            <bdi>{label ?? task}</bdi> <span>on <bdi>{of}</bdi></span>
          </a>
          <span class="why">{reason ?? ''}</span>
          {fault
            ? <a
                class="msg cut" href={alikeHref(of, fault.message)}
                title={`${fault.message}\n\nFailed jobs with this error`}
              >
                <bdi>{fault.message}</bdi>
              </a>
            : <span class="msg cut"><bdi>{reasonWords(reason)}</bdi></span>}
        </li>
      ))}
    </ol>
  )
}

/** Some reasons come without an error. */
function reasonWords(reason: string | null): string {
  if (reason === 'expired') return 'not started within its ttl'
  if (reason === 'stalled') return 'its worker stopped renewing its lease'
  return 'no error was kept'
}
