import type { ComponentChildren } from 'preact'
import type { WireExplanation, WireJob } from '../../../gateway/protocol.ts'
import { second } from '../../page-env.ts'
import {
  ago, count, counted, dayOf, exactTime, fullTime, shortTime, span,
} from '../../shell/words.ts'
import { attemptWords } from '../jobs/job-words.ts'
import { JsonTree } from './json-tree.tsx'
import { progressText } from './steps.ts'

/** How far the handler says it is. */
export function ProgressCard({ job }: { readonly job: WireJob }) {
  const { progress } = job
  if (!progress) return null
  const { percent, message } = progress
  const width = `${String(Math.max(0, Math.min(100, percent ?? 0)))}%`
  const { current, total } = progress
  return (
    <section class="card progress-card" aria-label="Progress">
      <b class="cut"><bdi>{message ?? 'Progress'}</bdi></b>
      <span class="muted">{progressText({ current, total, message: null, percent: null })}</span>
      <span class="grow" />
      <b>{percent === null ? '' : `${String(Math.round(percent))} %`}</b>
      {percent !== null && (
        <div
          class="track-bar" role="progressbar" aria-label="Progress" aria-valuemin={0}
          aria-valuemax={100} aria-valuenow={Math.round(percent)}
        >
          <i class={job.state === 'running' ? '' : 'still'} style={{ width }} />
        </div>
      )}
    </section>
  )
}

/** Lines that the handler wrote, the newest at the end. */
export function LogCard({ job }: { readonly job: WireJob }) {
  const { log } = job
  return (
    <section class="card" aria-labelledby="log">
      <header>
        <h2 id="log">Log</h2>
        <span class="sub">
          {log ? counted(log.lines.length, 'line') : ''}
          {log && log.dropped > 0 ? `, ${count(log.dropped)} older ones had to go` : ''}
        </span>
      </header>
      {log === null || log.lines.length === 0
        ? <p class="quiet">The handler has written nothing with <code>job.log()</code>.</p>
        : <ol class="log" tabIndex={0} aria-label="Log">
            {log.lines.map(({ at, attempt, text }, index) => (
              <li key={index}>
                <time title={fullTime(at)}>{exactTime(at)}</time>
                <span class="muted" title={`attempt ${String(attempt)}`}>{attempt}</span>
                <span class="line"><bdi>{text}</bdi></span>
              </li>
            ))}
          </ol>}
    </section>
  )
}

/** What went in and what came out; secrets have gone before it came here. */
export function DataCard({ title, value, what }: {
  readonly title: string
  readonly value: WireJob['input'] | undefined
  readonly what: string
}) {
  const id = `data-${title.toLowerCase()}`
  return (
    <section class="card" aria-labelledby={id}>
      <header><h2 id={id}>{title}</h2></header>
      {value === undefined
        ? <p class="quiet">{what}</p>
        : <JsonTree value={value} label={title} />}
    </section>
  )
}

/** The figures of the record. */
export function RecordCard({ job, explained }: {
  readonly job: WireJob
  readonly explained: WireExplanation
}) {
  const { fence, lease, policy, dedupe } = job
  const now = second.value
  const facts: readonly (readonly [string, ComponentChildren])[] = [
    ['id', <bdi class="mono">{job.id}</bdi>],
    ['queue', <bdi>{job.queue}</bdi>],
    ['task', <bdi>{job.task}</bdi>],
    ['rev', count(job.rev)],
    ['fence', fence === 0 ? 'none yet' : count(fence)],
    ['worker', lease ? <bdi>{lease.worker}</bdi> : explained.worker ?? 'none'],
    ['lease', lease ? leaseWords(lease.until - now) : 'none'],
    ['attempt', attemptWords(job)],
    ['stalls', policy ? `${count(job.stalls)} of at most ${count(policy.maxStalls)}`
      : count(job.stalls)],
    ['timeout', policy ? (policy.timeoutMs === null ? 'none' : span(policy.timeoutMs))
      : 'known at the claim'],
    ['priority', count(job.priority)],
    ['partition', job.partition === null ? 'none' : <bdi>{job.partition}</bdi>],
    ['added', <When at={job.createdAt} />],
    ['due', <When at={job.runAt} />],
    ['expires', job.expiresAt === null ? 'never' : <When at={job.expiresAt} />],
    ['started', <When at={job.startedAt} />],
    ['settled', <When at={job.settledAt} />],
    ['by', <bdi>{job.by ?? 'nobody yet'}</bdi>],
    ...(dedupe ? [['dedupe key', <bdi>{dedupe.key}</bdi>] as const] : []),
    ...(explained.abandoned.length > 0
      ? [['given up here', count(explained.abandoned.length)] as const] : []),
  ]
  return (
    <section class="card" aria-labelledby="record">
      <header><h2 id="record">Record</h2></header>
      <dl class="facts">
        {facts.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
      {job.meta !== null && (
        <>
          <h3 class="inner">meta</h3>
          <JsonTree value={job.meta} label="Meta" />
        </>
      )}
    </section>
  )
}

function leaseWords(leftMs: number): string {
  return leftMs > 0 ? `${span(leftMs)} left` : `lapsed ${ago(-leftMs)} ago`
}

function When({ at }: { readonly at: number | null }) {
  if (at === null) return <>not yet</>
  const now = second.value
  const day = dayOf(at, now)
  return (
    <span title={fullTime(at)}>{day === 'today' ? exactTime(at) : `${day} ${shortTime(at)}`}</span>
  )
}
