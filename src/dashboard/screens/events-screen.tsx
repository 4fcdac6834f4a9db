import { useEffect, useMemo } from 'preact/hooks'
import { states } from '../../../machines/vocabulary.ts'
import type { WireQueue } from '../../gateway/protocol.ts'
import { Empty, Trouble } from '../parts/blank.tsx'
import { Pick } from '../parts/controls.tsx'
import { Icon, StateMark } from '../parts/icon.tsx'
import { useRowKeys } from '../parts/table.tsx'
import { isSeen } from '../page-env.ts'
import { useAsked } from '../shell/asked.ts'
import { useShortcuts } from '../shell/keyboard.ts'
import { go, hrefOf, place, setQuery } from '../shell/router.ts'
import { client } from '../shell/session.ts'
import { count, counted, eventWords, exactTime, fullTime } from '../shell/words.ts'
import { badEvents, progressText } from './job/steps.ts'
import { noting } from './noting.ts'
import { Tail } from './events/tail.ts'
import type { Line } from './events/tail.ts'

const queuesMs = 15_000
/** Scrolled down further than this, somebody reads: the tail holds still. */
const readingPx = 12

export function EventsScreen() {
  const { query } = place.value
  const queue = query.get('queue')
  const task = query.get('task')
  const state = states.find((name) => name === query.get('state')) ?? null
  const queues = useAsked<readonly WireQueue[]>('queues', () => noting(client.queues()), queuesMs)
  const tail = useMemo(() => new Tail(), [queue, task, state])
  const isShown = isSeen.value
  useEffect(() => (isShown ? tail.start({ queue, task, state }) : undefined), [tail, isShown])
  const isPaused = tail.isPaused.value
  const toggle = (): void => { tail.pause(!tail.isPaused.value) }
  useShortcuts('Tail', [
    { keys: 'p', does: 'hold still or go on', act: toggle },
    { keys: 'c', does: 'clear', act: () => { tail.clear() } },
  ])
  const all = queues.value ?? []
  const tasks = new Set(all.filter(({ name }) => queue === null || name === queue)
    .flatMap((one) => one.tasks))
  return (
    <>
      <h1 class="sr">Events</h1>
      <div class="filters">
        <Pick
          label="Queue" any="all" options={all.slice(0, 1000).map(({ name }) => name)} value={queue}
          onPick={(name) => { setQuery({ queue: name, task: null }) }}
        />
        <Pick
          label="Task" any="any" options={[...tasks].sort()} value={task}
          onPick={(name) => { setQuery({ task: name }) }}
        />
        <Pick
          label="To state" any="any" options={states} value={state}
          onPick={(name) => { setQuery({ state: name }) }}
        />
        <span class="grow" />
        <span class="muted num">{count(tail.perSecond.value)} in the last second</span>
        <button
          class={`hold btn${isPaused ? ' primary' : ''}`} type="button" aria-pressed={isPaused}
          onClick={toggle}
        >
          <Icon name={isPaused ? 'play' : 'pause'} />
          {isPaused ? `Go on, ${count(tail.waiting.value)} newer` : 'Hold still'}
        </button>
        <button class="btn ghost" type="button" onClick={() => { tail.clear() }}>Clear</button>
      </div>
      <div class="page tail-page">
        <section class="card" aria-label="Events">
          {tail.error.value
            ? <Trouble
                title="The stream ended" error={tail.error.value}
                again={() => { tail.start({ queue, task, state }) }}
              />
            : <Lines tail={tail} />}
        </section>
      </div>
    </>
  )
}

function Lines({ tail }: { readonly tail: Tail }) {
  const lines = tail.lines.value
  const cursor = useRowKeys('Events', lines.length, (index) => {
    const line = lines[index]
    if (line && 'one' in line) go(hrefOf('jobs', [line.one.queue, line.one.jobId]))
  })
  useEffect(() => {
    if (cursor >= 0) tail.pause(true)
    document.querySelector('.tail .cur')?.scrollIntoView({ block: 'nearest' })
  }, [cursor])
  if (lines.length === 0) {
    return (
      <Empty title="Nothing has happened since you came">
        <p>
          Each transition is shown here the moment it is committed. What was before is on the {' '}
          <a class="link" href={hrefOf('fleet')}>Fleet</a>'s time line.
        </p>
      </Empty>
    )
  }
  return (
    <>
      <ol
        class="tail" tabIndex={0} aria-label="Transitions, the newest first"
        onScroll={(event) => {
          if (event.currentTarget.scrollTop > readingPx && !tail.isPaused.value) tail.pause(true)
        }}
      >
        {lines.map((line, index) => <Row key={line.key} line={line} isCursor={index === cursor} />)}
      </ol>
      <footer class="foot">
        <span>
          {counted(lines.length, 'transition')}, the newest first
          {tail.isPaused.value ? `; holds still, ${count(tail.waiting.value)} newer` : ''}
        </span>
        <span class="grow" />
        <span class="only-wide"><kbd>p</kbd> hold still</span>
        <span class="only-wide"><kbd>j</kbd> <kbd>k</kbd> move</span>
        <span class="only-wide"><kbd>Enter</kbd> open</span>
      </footer>
    </>
  )
}

function Row({ line, isCursor }: { readonly line: Line; readonly isCursor: boolean }) {
  if ('gap' in line) {
    return (
      <li class="gap-line"><time>{exactTime(line.at)}</time><span>{line.gap}</span></li>
    )
  }
  const { at, event, queue, jobId, task, to, phase, attempt, by } = line.one
  const { reason, progress, error, skipped } = line.one
  const said = error ? `${error.name}: ${error.message}`
    : progressText(event === 'progress' ? progress : null) ?? reason ?? ''
  return (
    <li class={`${isCursor ? 'cur ' : ''}${badEvents.has(event) ? 'is-bad' : ''}`}>
      <time title={fullTime(at)}>{exactTime(at)}</time>
      <b class="ev">{eventWords(event)}</b>
      <span class="at">{to === null ? 'removed' : <StateMark state={phase ?? to} />}</span>
      <a class="cut" href={hrefOf('jobs', [queue, jobId])}>
        <bdi>{queue}</bdi> <span class="muted">/</span> <bdi>{task}</bdi> {' '}
        <bdi class="mono muted">{jobId}</bdi>
      </a>
      <span class={`cut only-wide ${error ? 'bad' : 'muted'}`} title={said}>
        <bdi>{said}</bdi>{skipped !== undefined && ` (${count(skipped)} between were not told)`}
      </span>
      <span class="muted cut only-wide">
        <bdi>{by}</bdi>
        {attempt > 0 ? `, attempt ${String(attempt)}` : ''}
      </span>
    </li>
  )
}
