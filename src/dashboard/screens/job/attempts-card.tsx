import { second } from '../../page-env.ts'
import { clockTime, counted, eventWords, span } from '../../shell/words.ts'
import { useIsNarrow } from '../../parts/narrow.ts'
import { attemptsOf } from './steps.ts'
import type { Attempt, Step, Stretch } from './steps.ts'

/** Attempts of one life that are drawn; a job may have thousands. */
const shownAttempts = 12
const roundSteps =
  [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400]

/** When the job waited and when it ran, on one axis. */
export function AttemptsCard({ life, settledAt }: {
  readonly life: readonly Step[]
  readonly settledAt: number | null
}) {
  const all = attemptsOf(life)
  const attempts = all.slice(-shownAttempts)
  const from = attempts[0]?.waits[0]?.from ?? attempts[0]?.run?.from ?? 0
  const isOver = settledAt !== null
  const end = Math.max(isOver ? settledAt : second.value, lastOf(attempts))
  const to = Math.max(end, from + 100)
  const sum = (which: (attempt: Attempt) => readonly Stretch[]): number =>
    attempts.reduce((ms, one) =>
    ms + which(one).reduce((own, stretch) => own + (stretch.to ?? to) - stretch.from, 0), 0)
  const running = sum(({ run }) => (run ? [run] : []))
  const waiting = sum(({ waits }) => waits)
  const share = (at: number): string =>
    `${String(Math.min(100, Math.max(0, ((at - from) / (to - from)) * 100)))}%`
  return (
    <section class="card" aria-labelledby="attempts">
      <header>
        <h2 id="attempts">Attempts</h2>
        <span class="sub cut">
          {span(Math.max(0, end - from))} in all: running {span(running)}, waiting {span(waiting)}
        </span>
        <span class="grow" />
        <span class="chip st is-queued only-wide">waiting</span>
        <span class="chip st is-running only-wide">running</span>
        <span class="chip st is-failed only-wide">ended badly</span>
      </header>
      <div class="tl">
        <div class="tl-row tl-axis" aria-hidden="true">
          <span />
          <div class="track">{ticksOf(to - from).map((ms) => (
            <span key={ms} style={{ left: share(from + ms) }}>
              {ms === 0 ? clockTime(from) : span(ms).replace('.0', '')}
            </span>
          ))}</div>
        </div>
        {all.length > attempts.length && (
          <p class="muted">{counted(all.length - attempts.length, 'earlier attempt')} not drawn</p>
        )}
        <ol>
          {attempts.map((attempt, index) => (
            <li class="tl-row" key={`${String(index)} ${String(attempt.number)}`}>
              <span class="lead">
                {attempt.run ? `Attempt ${String(attempt.number)}` : isOver ? 'Waited' : 'Next'}
              </span>
              <div class="track">
                <span class="sr">{sentence(attempt, to)}</span>
                {attempt.waits.map((stretch) => (
                  <i
                    key={stretch.from} class={`wait-bar ${stretch.leaf}`}
                    title={`${stretch.leaf} ${span((stretch.to ?? to) - stretch.from)}`}
                    style={{ left: share(stretch.from), width: width(stretch, from, to) }}
                  />
                ))}
                {attempt.run && (
                  <Run
                    attempt={attempt} run={attempt.run} left={share(attempt.run.from)}
                    width={width(attempt.run, from, to)} to={to}
                  />
                )}
              </div>
            </li>
          ))}
        </ol>
      </div>
    </section>
  )
}

function Run({ attempt, run, left, width: share, to }: {
  readonly attempt: Attempt
  readonly run: Stretch
  readonly left: string
  readonly width: string
  readonly to: number
}) {
  const end = attempt.end === null ? 'now' : eventWords(attempt.end)
  const text = `${span((run.to ?? to) - run.from)} ${end}`
  const isWide = Number.parseFloat(share) > (useIsNarrow() ? 34 : 11)
  return (
    <i
      class={`run-bar${attempt.isBad ? ' bad-end' : ''}`} style={{ left, width: share }}
      aria-hidden="true"
    >
      <b class={isWide ? '' : 'behind'}>{text}</b>
    </i>
  )
}

function width({ from, to }: Stretch, start: number, end: number): string {
  return `${String((((to ?? end) - from) / (end - start)) * 100)}%`
}

function lastOf(attempts: readonly Attempt[]): number {
  const last = attempts.at(-1)
  return last?.run?.to ?? last?.waits.at(-1)?.to ?? 0
}

function sentence({ waits, run, end }: Attempt, to: number): string {
  const waited =
    waits.map(({ leaf, from, to: until }) => `${leaf} for ${span((until ?? to) - from)}`)
  const ran = run ? [`${end === null ? 'running' : 'ran'} for ${span((run.to ?? to) - run.from)}`]
    : []
  return `${[...waited, ...ran].join(', ')}${end === null ? '' : `, ended by ${eventWords(end)}`}`
}

function ticksOf(ms: number): readonly number[] {
  const step =
    (roundSteps.find((seconds) => ms / (seconds * 1000) <= 5) ?? Math.ceil(ms / 5000)) * 1000
  const ticks = Array.from({ length: Math.floor(ms / step) + 1 }, (_none, index) => index * step)
  return ticks.filter((tick) => tick === 0 || tick < ms * 0.96)
}
