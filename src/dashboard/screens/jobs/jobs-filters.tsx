import { useEffect, useState } from 'preact/hooks'
import type { WireQueue } from '../../../gateway/protocol.ts'
import { Find, Pick } from '../../parts/controls.tsx'
import { Icon } from '../../parts/icon.tsx'
import { after } from '../../page-env.ts'
import { setQuery } from '../../shell/router.ts'
import { tell } from '../../shell/toasts.tsx'
import { isFiltered, orders, times } from './filter.ts'
import type { JobsView } from './filter.ts'

/** Typing is asked for when it rests. */
const restMs = 250
const optionLimit = 1000

export function JobsFilters({ view, queues }: {
  readonly view: JobsView
  readonly queues: readonly WireQueue[]
}) {
  const tasks = new Set(queues.filter(({ name }) => view.queue === null || name === view.queue)
    .flatMap((queue) => queue.tasks))
  return (
    <div class="filters jobs-filters">
      <Typed text={view.text} />
      <Pick
        label="Queue" any="all" value={view.queue}
        options={queues.slice(0, optionLimit).map(({ name }) => name)}
        onPick={(queue) => { setQuery({ queue, task: null }) }}
      />
      <Pick
        label="Task" any="any" options={[...tasks].sort()} value={view.task}
        onPick={(task) => { setQuery({ task }) }}
      />
      <label class={view.partition === null ? 'pick' : 'pick on'}>
        <span>Partition</span>
        <input
          value={view.partition ?? ''} placeholder="any" aria-label="Partition" autocomplete="off"
          onChange={(event) => { setQuery({ partition: event.currentTarget.value || null }) }}
        />
      </label>
      <Pick
        label="Time" any="any" options={times} value={view.time}
        onPick={(time) => { setQuery({ time }) }}
      />
      <Pick
        label="Order" any="newest" options={Object.keys(orders).slice(1)}
        value={view.order === 'newest' ? null : view.order}
        onPick={(order) => { setQuery({ order }) }}
      />
      {isFiltered(view) && (
        <button class="btn ghost" type="button" onClick={clear}>Clear</button>
      )}
      <span class="grow" />
      <button class="btn ghost only-wide" type="button" onClick={() => { void copyLink() }}>
        <Icon name="copy" />Copy link
      </button>
    </div>
  )
}

function Typed({ text }: { readonly text: string }) {
  const [typed, setTyped] = useState(text)
  useEffect(() => { setTyped(text) }, [text])
  useEffect(() => after(restMs, () => {
    if (typed !== text) setQuery({ text: typed || null })
  }), [typed])
  return <Find label="Filter: text, error, id, meta.key=value" value={typed} onInput={setTyped} />
}

function clear(): void {
  setQuery({
    queue: null, state: null, phase: null, task: null, partition: null, text: null, time: null,
  })
}

async function copyLink(): Promise<void> {
  try {
    await navigator.clipboard.writeText(location.href)
    tell('The address of this list was copied')
  } catch {
    tell('The browser does not let this page copy; take the address from its bar', true)
  }
}
