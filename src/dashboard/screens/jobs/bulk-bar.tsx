import { useEffect, useState } from 'preact/hooks'
import type { Action, WireQueue } from '../../../gateway/protocol.ts'
import { Confirm } from '../../parts/controls.tsx'
import { now } from '../../page-env.ts'
import { isReadOnly, toError } from '../../shell/session.ts'
import { count, counted } from '../../shell/words.ts'
import { broken, doToAll, doToSome, filterFor, kindOf, preview, statesOf, work } from './bulk.ts'
import type { Verb } from './bulk.ts'
import { countOf } from './facets.tsx'
import { isCounted } from './filter.ts'
import type { JobsView } from './filter.ts'
import { choose, chosen, nothing } from './selection.ts'
import type { JobPages } from './pages.ts'

const verbs: readonly (readonly [Verb, string])[] = [
  ['retry', 'Retry'], ['cancel', 'Cancel'], ['remove', 'Remove…'],
]

/** What is selected, and what can be done with it. */
export function BulkBar({ view, pages, queues, total, onDone }: {
  readonly view: JobsView
  readonly pages: JobPages
  readonly queues: readonly WireQueue[]
  readonly total: string
  readonly onDone: () => void
}) {
  const [asked, setAsked] = useState<Verb | null>(null)
  const is = chosen.value
  const goes = work.value
  if (goes) return <Going />
  if (!is.all && is.lines.size === 0) return null
  const able = verbs.filter(([verb]) => !isReadOnly.value && mayAll(verb, queues) &&
    (is.all ? filterFor(verb, view, 0) !== null : fitting(verb).length > 0))
  return (
    <div class="bulk" role="region" aria-label="Selection">
      <span>
        {is.all
          ? <><b>All {total} that match</b> are selected</>
          : <><b>{counted(is.lines.size, 'job')}</b> selected</>}
      </span>
      {is.all
        ? <button
            class="link" type="button"
            onClick={() => { choose(pages.all().map(({ line }) => line)) }}
          >
            only the {count(pages.all().length)} shown
          </button>
        : <button class="link" type="button" onClick={() => { chosen.value = { all: true } }}>
            all {total} that match
          </button>}
      <span class="grow" />
      {isReadOnly.value && (
        <span class="muted">Read-only: nothing can be done with them here.</span>
      )}
      {able.map(([verb, title]) => (
        <button
          key={verb} class={verb === 'remove' ? 'btn danger' : 'btn'} type="button"
          onClick={() => { setAsked(verb) }}
        >
          {title}<span class="muted">{figureOf(verb, view, queues)}</span>
        </button>
      ))}
      <button class="btn ghost" type="button" onClick={() => { chosen.value = nothing }}>
        Clear
      </button>
      {asked && (
        <Ask
          verb={asked} view={view} queues={queues.map(({ name }) => name)}
          onEnd={(isDone) => {
            setAsked(null)
            if (isDone) onDone()
          }}
        />
      )}
    </div>
  )
}

/** How many a verb is for, where that is known without asking. */
function figureOf(verb: Verb, view: JobsView, queues: readonly WireQueue[]): string {
  if (!chosen.value.all) return `${count(fitting(verb).length)} ${kindOf[verb]}`
  if (!isCounted(view)) return kindOf[verb]
  const names = view.phase !== null ? [view.phase]
    : statesOf[verb].filter((state) => view.states.length === 0 || view.states.includes(state))
  const jobs = names.reduce((sum, name) => sum + countOf(queues, name), 0)
  return `${count(jobs)} ${kindOf[verb]}`
}

function mayAll(verb: Verb, queues: readonly WireQueue[]): boolean {
  return queues.every(({ can }) => can.includes(verb satisfies Action))
}

function fitting(verb: Verb) {
  const is = chosen.value
  return is.all ? [] : [...is.lines.values()].filter(({ state }) => statesOf[verb].includes(state))
}

function Going() {
  const goes = work.value
  if (!goes) return null
  const { verb, matched, total } = goes
  return (
    <div class="bulk" role="region" aria-label="Selection">
      <b>{verb === 'remove' ? 'Removing' : verb === 'retry' ? 'Retrying' : 'Cancelling'}</b>
      <progress max={Math.max(total, 1)} value={matched} aria-label={`${verb} goes on`} />
      <span>{count(matched)} of {count(total)}</span>
    </div>
  )
}

/** What a verb left undone. */
export function Broken() {
  const why = broken.value
  if (why === null) return null
  return (
    <div class="note" role="alert">
      <p class="grow">{why}</p>
      <button class="btn sm" type="button" onClick={() => { broken.value = null }}>Dismiss</button>
    </div>
  )
}

/** Says how many and which, and asks once. */
function Ask({ verb, view, queues, onEnd }: {
  readonly verb: Verb
  readonly view: JobsView
  readonly queues: readonly string[]
  readonly onEnd: (isDone: boolean) => void
}) {
  const is = chosen.value
  const [filter] = useState(() => (is.all ? filterFor(verb, view, now()) : null))
  const [found, setFound] = useState(is.all ? 0 : fitting(verb).length)
  const [isCounting, setCounting] = useState(is.all)
  const [error, setError] = useState<Error | null>(null)
  useEffect(() => {
    if (!filter) return
    preview(verb, queues, filter, setFound).then(() => { setCounting(false) }, (fault: unknown) => {
      setError(toError(fault))
    })
  }, [])
  const word = verb[0]?.toUpperCase() + verb.slice(1)
  const which = `${counted(found, `${kindOf[verb]} job`)} of ${namesOf(queues)}`
  const act = (): void => {
    if (isCounting || error || found === 0) return
    const some = fitting(verb)
    onEnd(false)
    const doing = filter ? doToAll(verb, queues, filter, found) : doToSome(verb, some)
    void doing.then((isWhole) => {
      // What is left can be gone on with.
      if (isWhole) chosen.value = nothing
      onEnd(true)
    })
  }
  return (
    <Confirm
      title={isCounting ? `Counting: ${count(found)} so far` : `${word} ${which}?`}
      verb={isCounting ? 'Counting' : `${word} ${count(found)}`} onYes={act}
      onNo={() => { onEnd(false) }}
    >
      {error && <p role="alert" class="bad">{error.message}</p>}
      {view.text !== '' && is.all && (
        <p class="soft">Of those with <b><bdi>{view.text}</bdi></b>.</p>
      )}
      <p class="soft">{consequence[verb]}</p>
    </Confirm>
  )
}

const consequence: Readonly<Record<Verb, string>> = {
  retry: 'Each begins a new life: its retries, its ttl and its error start anew.',
  cancel: 'What waits is cancelled at once; what runs is told to end and has its grace.',
  remove: 'They are taken out of the store. Jobs that others still wait for stay. ' +
    'This cannot be undone.',
}

function namesOf(queues: readonly string[]): string {
  if (queues.length <= 2) return queues.join(' and ')
  return `${count(queues.length)} queues`
}
