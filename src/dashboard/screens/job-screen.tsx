import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { WireExplanation, WireJob } from '../../gateway/protocol.ts'
import { isSettled } from '../../records/job.ts'
import { charts, fetchCharts } from '../chart/charts.ts'
import { Empty, Loading, Trouble } from '../parts/blank.tsx'
import { IconButton } from '../parts/controls.tsx'
import { Icon, shownState } from '../parts/icon.tsx'
import { after, isSeen, second } from '../page-env.ts'
import { useAsked } from '../shell/asked.ts'
import { hrefOf, place } from '../shell/router.ts'
import { client } from '../shell/session.ts'
import { tell } from '../shell/toasts.tsx'
import { span } from '../shell/words.ts'
import { Actions } from './job/actions.tsx'
import { AttemptsCard } from './job/attempts-card.tsx'
import { ErrorCard } from './job/error-card.tsx'
import { FamilyCard } from './job/family-card.tsx'
import { JobHistory } from './job/history.ts'
import { PathCard } from './job/path-card.tsx'
import { DataCard, LogCard, ProgressCard, RecordCard } from './job/side-cards.tsx'
import { edgeIds, lifeStart, stepsOf } from './job/steps.ts'
import type { Step } from './job/steps.ts'
import { StepsCard } from './job/steps-card.tsx'
import { inOwnZone, pastWords } from './job/words.ts'
import { noting } from './noting.ts'

const liveMs = 2000
const settledMs = 10_000
const gatherMs = 250

export function JobScreen() {
  const [queue = '', id = ''] = place.value.parts
  const [isOver, setOver] = useState(false)
  const asked = useAsked<WireExplanation>(
    `${queue}\0${id}`, () => noting(client.queue(queue).explain(id)), isOver ? settledMs : liveMs,
  )
  const history = useHistory(queue, id, asked.again)
  const explained = asked.value
  // A job that was removed meanwhile stays, as it was last.
  const last = useRef<WireExplanation | null>(null)
  if (explained?.record) last.current = explained
  const shown = last.current
  const job = shown?.record ?? null
  const settled = job !== null && isSettled(job)
  useEffect(() => { setOver(settled) }, [settled])
  useEffect(() => {
    fetchCharts().catch(() => undefined)
  }, [])
  if (!shown || !job) {
    return (
      <Nothing queue={queue} id={id} error={asked.error} again={asked.again} />
    )
  }
  return (
    <Job
      job={job} explained={shown} history={history} error={asked.error} again={asked.again}
    />
  )
}

function useHistory(queue: string, id: string, again: () => void): JobHistory {
  const latest = useRef(again)
  latest.current = again
  const planned = useRef(false)
  const history = useMemo(() => new JobHistory(queue, id, () => {
    if (planned.current) return
    planned.current = true
    after(gatherMs, () => {
      planned.current = false
      latest.current()
    })
  }), [queue, id])
  const isShown = isSeen.value
  useEffect(() => (isShown ? history.start() : undefined), [history, isShown])
  return history
}

function Nothing({ queue, id, error, again }: {
  readonly queue: string
  readonly id: string
  readonly error: Error | null
  readonly again: () => void
}) {
  return (
    <div class="page">
      <section class="card">
        {error === null ? <Loading what="the job" />
          : /unknown|no job/i.test(error.message)
            ? <Empty title="There is no such job">
                <p>
                  <bdi class="mono">{id}</bdi> of <bdi>{queue}</bdi> was removed, was pruned after
                  it had settled, or was never there. {' '}
                  <a class="link" href={hrefOf('jobs', [], { queue })}>Jobs of this queue</a>
                </p>
              </Empty>
            : <Trouble title="The job cannot be read" error={error} again={again} />}
      </section>
    </div>
  )
}

function Job({ job, explained, history, error, again }: {
  readonly job: WireJob
  readonly explained: WireExplanation
  readonly history: JobHistory
  readonly error: Error | null
  readonly again: () => void
}) {
  const [picked, setPicked] = useState<number | null>(null)
  const edges = useMemo(() => edgeIds(charts.value.job.edges), [charts.value])
  const steps =
    useMemo(() => stepsOf(job, history.log.value, edges), [job, history.log.value, edges])
  const at = Math.min(picked ?? steps.length - 1, steps.length - 1)
  const life = useMemo(() => steps.slice(lifeStart(steps)), [steps])
  return (
    <div class="page job-page">
      <Top
        job={job} explained={explained} life={life} again={again}
        isRemoved={steps.at(-1)?.leaf === null}
      />
      {error && (
        <div class="note" role="alert">
          <p>{error.message}. What is shown is the last that was read.</p>
        </div>
      )}
      <div class="job-grid">
        <div class="stack">
          <PathCard job={job} steps={steps} at={at} />
          <AttemptsCard life={life} settledAt={job.settledAt} />
          <ErrorCard job={job} steps={steps} />
          <LogCard job={job} />
          <div class="two">
            <DataCard title="Input" value={job.input} what="" />
            <DataCard
              title="Result" value={job.state === 'completed' ? job.result : undefined}
              what="There is one when it has completed."
            />
          </div>
        </div>
        <div class="stack">
          <ProgressCard job={job} />
          <StepsCard steps={steps} at={at} isCut={history.isCut.value} onPick={setPicked} />
          <FamilyCard job={job} explained={explained} />
          <RecordCard job={job} explained={explained} />
        </div>
      </div>
    </div>
  )
}

function Top({ job, explained, life, again, isRemoved }: {
  readonly job: WireJob
  readonly explained: WireExplanation
  readonly life: readonly Step[]
  readonly again: () => void
  readonly isRemoved: boolean
}) {
  const { id, queue, task, label } = job
  const state = shownState(job)
  const past = pastWords(job, life)
  return (
    <div>
      <nav class="crumbs" aria-label="Where">
        <a href={hrefOf('jobs')}>Jobs</a><span aria-hidden="true">/</span>
        <a href={hrefOf('jobs', [], { queue })}><bdi>{queue}</bdi></a>
        <span aria-hidden="true">/</span>
        <a href={hrefOf('jobs', [], { queue, task })}><bdi>{task}</bdi></a>
        <span aria-hidden="true">/</span>
        <bdi class="mono cut">{id}</bdi>
        <IconButton icon="copy" label="Copy the id" onClick={() => { void copy(id) }} />
      </nav>
      <div class="job-head">
        <div class="grow">
          <h1>
            <bdi>{label ?? task}</bdi>
            <span class={`badge-state is-${state}`}><Icon name={state} />{state}</span>
          </h1>
          <p class="explain">
            {isRemoved ? 'It was removed from the store; this is how it was last. '
              : <bdi>{inOwnZone(explained.text, second.value)} </bdi>}
            {!isRemoved && explained.until !== null && explained.until > second.value &&
              `That is in ${span(explained.until - second.value)}. `}
            {past}
          </p>
        </div>
        {!isRemoved && <Actions job={job} again={again} />}
      </div>
    </div>
  )
}

async function copy(id: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(id)
    tell('The id was copied')
  } catch {
    tell('The browser does not let this page copy', true)
  }
}
