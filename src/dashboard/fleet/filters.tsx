import type { WireQueue } from '../../gateway/protocol.ts'
import { Find, Pick } from '../parts/controls.tsx'
import { place, setQuery } from '../shell/router.ts'
import type { FleetFeed, FleetFilter } from './feed.ts'

/** Most options of a list that a browser opens without a pause. */
const optionLimit = 1000

/** What the fleet is filtered by; all of it stands in the address. */
export function Filters({ feed, filter, about }: {
  readonly feed: FleetFeed
  readonly filter: FleetFilter
  readonly about: ReadonlyMap<string, WireQueue>
}) {
  const text = place.value.query.get('text') ?? ''
  const names = [...about.keys()]
  const queues = (names.length > 0 ? names : feed.opened.value?.queues ?? []).slice(0, optionLimit)
  const tasks = new Set([...about.values()].filter(({ name }) =>
    filter.queue === null || name === filter.queue).flatMap((queue) => queue.tasks))
  const isFiltered = Object.values(filter).some((value) => value !== null)
  return (
    <div class="filters">
      <Find
        label="Find a queue" value={text} onInput={(typed) => { setQuery({ text: typed || null }) }}
      />
      <Pick
        label="Queue" any="all" options={queues} value={filter.queue}
        onPick={(queue) => { setQuery({ queue, task: null }) }}
      />
      <Pick
        label="Task" any="any" options={[...tasks].sort()} value={filter.task}
        onPick={(task) => { setQuery({ task }) }}
      />
      <label class={filter.partition === null ? 'pick' : 'pick on'}>
        <span>Partition</span>
        <input
          value={filter.partition ?? ''} placeholder="any" aria-label="Partition" autocomplete="off"
          onChange={(event) => { setQuery({ partition: event.currentTarget.value || null }) }}
        />
      </label>
      {isFiltered && (
        <button
          class="btn ghost" type="button"
          onClick={() => { setQuery({ queue: null, task: null, partition: null }) }}
        >
          Clear
        </button>
      )}
      <span class="grow" />
      <span class="status muted only-wide">
        {feed.isBounded.value ? 'Of the newest 2,000 jobs a queue' : 'Up to four updates a second'}
      </span>
    </div>
  )
}
