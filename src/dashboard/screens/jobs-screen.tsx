import { useEffect, useMemo, useRef } from 'preact/hooks'
import { states } from '../../../machines/vocabulary.ts'
import type { Phase, State } from '../../../machines/vocabulary.ts'
import type { WireQueue } from '../../gateway/protocol.ts'
import { Empty, Loading, Trouble } from '../parts/blank.tsx'
import { every, isSeen, now } from '../page-env.ts'
import { useAsked } from '../shell/asked.ts'
import { hrefOf, place } from '../shell/router.ts'
import { client } from '../shell/session.ts'
import { clockTime, count } from '../shell/words.ts'
import { Broken, BulkBar } from './jobs/bulk-bar.tsx'
import { countOf, Facets } from './jobs/facets.tsx'
import { isCounted, isFiltered, keyOf, listOf, parseText, viewOf } from './jobs/filter.ts'
import type { JobsView } from './jobs/filter.ts'
import { JobsFilters } from './jobs/jobs-filters.tsx'
import { JobsTable, KeysFoot } from './jobs/jobs-table.tsx'
import { JobPages } from './jobs/pages.ts'
import { chosen, nothing } from './jobs/selection.ts'
import { noting } from './noting.ts'

const refreshMs = 2000
const countsMs = 5000
/** Queues whose jobs are merged into one list; of more, one has to be picked. */
const mergedQueues = 12

export function JobsScreen() {
  const { query, parts } = place.value
  const view = { ...viewOf(query), ...(parts[0] === undefined ? {} : { queue: parts[0] }) }
  const asked = useAsked<readonly WireQueue[]>('queues', () => noting(client.queues()), countsMs)
  const all = asked.value
  if (!all) {
    return (
      <div class="page">
        <section class="card">
          {asked.error
            ? <Trouble title="The queues cannot be read" error={asked.error} again={asked.again} />
            : <Loading what="jobs" />}
        </section>
      </div>
    )
  }
  const own = view.queue === null ? all : all.filter(({ name }) => name === view.queue)
  return (
    <>
      <h1 class="sr">Jobs</h1>
      <JobsFilters view={view} queues={all} />
      <div class="jobs">
        <Facets view={view} queues={own} />
        {own.length === 0 ? <NoQueue name={view.queue} /> : (
          <JobList view={view} queues={own} recount={asked.again} />
        )}
      </div>
    </>
  )
}

function NoQueue({ name }: { readonly name: string | null }) {
  return (
    <section class="card">
      {name === null
        ? <Empty title="No queue yet" code="const images = troupe.queue('images', { tasks })">
            <p>Jobs are listed here as soon as the process behind this page declares a queue:</p>
          </Empty>
        : <Empty title="There is no such queue">
            <p>No queue is named <b><bdi>{name}</bdi></b>, or you may not see it. {' '}
              <a class="link" href={hrefOf('jobs')}>All queues</a></p>
          </Empty>}
    </section>
  )
}

/** The queues that may have such jobs, those with most of them first. */
function listed(view: JobsView, queues: readonly WireQueue[]): readonly WireQueue[] {
  if (queues.length <= mergedQueues) return queues
  const jobs = ({ counts }: WireQueue): number => (view.phase !== null ? counts[view.phase]
    : (view.states.length === 0 ? states : view.states).reduce((sum, state) =>
      sum + counts[state], 0))
  return [...queues].sort((a, b) => jobs(b) - jobs(a)).slice(0, mergedQueues)
}

function JobList({ view, queues, recount }: {
  readonly view: JobsView
  readonly queues: readonly WireQueue[]
  /** The counts of the queues are not what they were. */
  readonly recount: () => void
}) {
  const key = keyOf(view)
  const merged = useMemo(() => listed(view, queues), [key, queues.length])
  const pages = useMemo(
    () => new JobPages(merged.map(({ name }) => name), listOf(view, now()), view.order),
    [key, merged],
  )
  const sight = useRef({ first: 0, end: 40, cursor: -1 })
  useEffect(() => {
    chosen.value = nothing
    void pages.more()
    return () => { pages.stop() }
  }, [pages])
  const isShown = isSeen.value
  const isSearch = parseText(view.text).text !== ''
  useEffect(() => {
    // A search is costly and may stop anywhere: it is not done again by itself.
    if (!isShown || isSearch) return undefined
    return every(refreshMs, () => {
      const { first, end, cursor } = sight.current
      const is = chosen.value
      const isFree = first === 0 && cursor < 0 && !is.all && is.lines.size === 0
      void pages.refresh(first, end, isFree)
    })
  }, [pages, isShown])
  const own = useMemo(() => {
    const names = new Set(merged.map(({ name }) => name))
    return queues.filter(({ name }) => names.has(name))
  }, [queues, merged])
  const names = namesOf(view)
  pages.countedAs(names && new Map(own.map((queue) => [
    queue.name, names.reduce((sum, name) => sum + countOf([queue], name), 0),
  ])))
  const total = totalOf(names, own, pages)
  return (
    <section class="card jobs-card">
      <BulkBar
        view={view} pages={pages} queues={own} total={total}
        onDone={() => {
          recount()
          void pages.again()
        }}
      />
      <Broken />
      {pages.error.value && pages.length > 0 && (
        <div class="note" role="alert"><p>{pages.error.value.message}</p></div>
      )}
      <Body
        view={view} pages={pages} isOneQueue={merged.length === 1}
        onSight={(first, end, cursor) => { sight.current = { first, end, cursor } }}
      />
      <Foot pages={pages} total={total} left={queues.length - merged.length} />
    </section>
  )
}

function Body({ view, pages, isOneQueue, onSight }: {
  readonly view: JobsView
  readonly pages: JobPages
  readonly isOneQueue: boolean
  readonly onSight: (first: number, end: number, cursor: number) => void
}) {
  const error = pages.error.value
  if (pages.length > 0) {
    return (
      <JobsTable
        pages={pages} isOneQueue={isOneQueue}
        onSight={({ first, end }, cursor) => {
          onSight(first, end, cursor)
          void pages.see(first, end)
        }}
      />
    )
  }
  if (error) {
    return (
      <Trouble
        title="These jobs cannot be listed" error={error} again={() => { void pages.again() }}
      />
    )
  }
  if (pages.slots.value.length === 0) return <Loading what="jobs" />
  if (pages.stopped.value) return <div class="blank"><h2>None so far</h2></div>
  if (isFiltered(view)) {
    return (
      <Empty title="No job is like that">
        <p>Nothing matches the filter. Settled jobs are kept for a while only.</p>
        <a class="link" href={hrefOf('jobs')}>All jobs</a>
      </Empty>
    )
  }
  return (
    <Empty title="No job yet" code="await images.add('resize', { file: 'a.jpg' })">
      <p>Each job is listed here from the moment it is added:</p>
    </Empty>
  )
}

/** The states whose counts are the total; null: nobody counts what is filtered otherwise. */
function namesOf(view: JobsView): readonly (State | Phase)[] | null {
  if (!isCounted(view)) return null
  if (view.phase !== null) return [view.phase]
  return view.states.length > 0 ? view.states : states
}

/** `12,408`, or `over 300` while nobody has counted them. */
function totalOf(
  names: readonly (State | Phase)[] | null, queues: readonly WireQueue[], pages: JobPages,
): string {
  if (names) return count(names.reduce((sum, name) => sum + countOf(queues, name), 0))
  return pages.isWhole ? count(pages.listed) : `over ${count(pages.listed)}`
}

function Foot({ pages, total, left }: {
  readonly pages: JobPages
  readonly total: string
  readonly left: number
}) {
  const stopped = pages.stopped.value
  const newer = pages.newer.value
  return (
    <footer class="foot">
      <span>
        {count(pages.listed)} of {total} {pages.isWhole ? 'listed' : 'listed, more as you scroll'}
        {pages.before > 0 && `, here from about row ${count(pages.before)} on`}
      </span>
      {newer !== 0 && (
        <button class="btn sm" type="button" onClick={() => { void pages.again() }}>
          {newer < 0 ? 'All' : count(newer)} newer: to the top
        </button>
      )}
      {stopped && !pages.isWhole && (
        <span>
          searched {count(stopped.scanned)} jobs, back to {clockTime(stopped.createdAt)} {' '}
          <button class="btn sm" type="button" onClick={() => { void pages.more() }}>
            Search on
          </button>
        </span>
      )}
      {left > 0 && (
        <span>of the {mergedQueues} queues with most of them; pick one to see its own</span>
      )}
      <span class="grow" />
      <KeysFoot />
    </footer>
  )
}
