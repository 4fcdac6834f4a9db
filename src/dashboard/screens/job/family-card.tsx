import type { WireExplanation, WireJob } from '../../../gateway/protocol.ts'
import { states } from '../../../../machines/vocabulary.ts'
import { Icon, shownState } from '../../parts/icon.tsx'
import { useAsked } from '../../shell/asked.ts'
import { hrefOf } from '../../shell/router.ts'
import { session } from '../../shell/session.ts'
import { count } from '../../shell/words.ts'
import { findFamily } from './family.ts'
import type { Family, Relative, Shown } from './family.ts'

const rowHeight = 50
const shownRelatives = 6
const refreshMs = 5000

/** What the job waits for, and what waits for it, with their states. */
export function FamilyCard({ job, explained }: {
  readonly job: WireJob
  readonly explained: WireExplanation
}) {
  const is = session.value
  const queues = is.state === 'ready' ? is.hello.queues : []
  const asked = useAsked<Family>(
    `${job.queue} ${job.id}`, () => findFamily(job, queues), refreshMs,
  )
  const family = asked.value ?? {
    parents: job.dependsOn.map((id) => ({ id, job: null })), children: [],
  }
  const { parents, children } = family
  if (parents.length === 0 && children.length === 0) return null
  const waitsFor = new Map(explained.waitsFor.map(({ id, state }) => [id, state]))
  const left = parents.slice(0, shownRelatives)
  const right = children.slice(0, shownRelatives)
  const rows = Math.max(left.length, right.length, 1)
  return (
    <section class="card" aria-labelledby="family">
      <header>
        <h2 id="family">Depends on, needed by</h2>
        <span class="sub">{count(parents.length)} and {count(children.length)}</span>
      </header>
      <div
        class={`dag${left.length === 0 ? ' no-left' : ''}${right.length === 0 ? ' no-right' : ''}`}
      >
        {left.length > 0 && (
          <Side label="Depends on" all={left} known={waitsFor} queue={job.queue} />
        )}
        {left.length > 0 && <Lines ends={left.length} rows={rows} isOut={false} />}
        <div class={`dag-box me is-${shownState(job)}`}>
          <Icon name={shownState(job)} />
          <b class="cut"><bdi>{job.label ?? job.task}</bdi></b>
          <small>{shownState(job)}</small>
        </div>
        {right.length > 0 && <Lines ends={right.length} rows={rows} isOut />}
        {right.length > 0 && (
          <Side label="Needed by" all={right} known={waitsFor} queue={job.queue} />
        )}
      </div>
      {(parents.length > left.length || children.length > right.length) && (
        <p class="quiet">The first {shownRelatives} of each are drawn.</p>
      )}
    </section>
  )
}

function Side({ label, all, known, queue }: {
  readonly label: string
  readonly all: readonly Relative[]
  readonly known: ReadonlyMap<string, string>
  readonly queue: string
}) {
  return (
    <ol aria-label={label}>
      {all.map(({ id, job }) => {
        const state = job ? shownState(job) : stateNamed(known.get(id))
        return (
          <li key={id}>
            <a
              class={`dag-box is-${state ?? 'cancelled'}`}
              href={hrefOf('jobs', [job?.queue ?? queue, id])}
            >
              {state && <Icon name={state} />}
              <b class="cut"><bdi>{job?.label ?? job?.task ?? id}</bdi></b>
              <small>{state ?? known.get(id) ?? 'not found near here'}</small>
            </a>
          </li>
        )
      })}
    </ol>
  )
}

function stateNamed(name: string | undefined): Shown | null {
  return states.find((state) => state === name) ?? null
}

/** Curves between the job and one side. */
function Lines({ ends, rows, isOut }: {
  readonly ends: number
  readonly rows: number
  readonly isOut: boolean
}) {
  const height = rows * rowHeight
  const middle = height / 2
  const first = middle - (ends * rowHeight) / 2 + rowHeight / 2
  return (
    <svg
      class="dag-lines" viewBox={`0 0 28 ${String(height)}`} width="28" height={height}
      aria-hidden="true"
    >
      {Array.from({ length: ends }, (_none, index) => {
        const y = first + index * rowHeight
        const [from, to] = isOut ? [middle, y] : [y, middle]
        return (
          <path
            key={index}
            d={`M0 ${String(from)}C14 ${String(from)} 10 ${String(to)} 22 ${String(to)}`}
          />
        )
      })}
      {isOut
        ? Array.from({ length: ends }, (_none, index) => (
          <path key={index} class="head" d={head(first + index * rowHeight)} />
        ))
        : <path class="head" d={head(middle)} />}
    </svg>
  )
}

function head(y: number): string {
  return `M28 ${String(y)}l-7 -3.5v7Z`
}
