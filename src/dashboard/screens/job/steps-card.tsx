import { useEffect, useRef } from 'preact/hooks'
import { IconButton } from '../../parts/controls.tsx'
import { useShortcuts } from '../../shell/keyboard.ts'
import { count, eventWords, exactTime, fullTime } from '../../shell/words.ts'
import { badEvents, changesOf } from './steps.ts'
import type { Step } from './steps.ts'

/** The transitions, one after the other, and what the one that is looked at changed. */
export function StepsCard({ steps, at, isCut, onPick }: {
  readonly steps: readonly Step[]
  readonly at: number
  readonly isCut: boolean
  /** Null: the last one, whatever comes. */
  readonly onPick: (at: number | null) => void
}) {
  const list = useRef<HTMLOListElement>(null)
  const pick = (to: number): void => {
    const place = Math.max(0, Math.min(to, steps.length - 1))
    onPick(place === steps.length - 1 ? null : place)
  }
  useShortcuts('Transitions', [
    { keys: '[', does: 'one back', act: () => { pick(at - 1) } },
    { keys: ']', does: 'one on', act: () => { pick(at + 1) } },
    { keys: 'l', does: 'the last one', act: () => { onPick(null) } },
  ])
  useEffect(() => {
    const place = list.current
    const row = place?.querySelector<HTMLElement>('.sel')
    if (!place || !row) return
    const end = row.offsetTop + row.offsetHeight
    if (row.offsetTop < place.scrollTop) place.scrollTop = row.offsetTop
    else if (end > place.scrollTop + place.clientHeight) place.scrollTop = end - place.clientHeight
  }, [at, steps.length])
  return (
    <section class="card" aria-labelledby="steps">
      <header>
        <h2 id="steps">Transitions</h2>
        <span class="sub">
          {count(at + 1)} of {count(steps.length)}
          {isCut ? ', older ones are not shown' : ''}
        </span>
        <span class="grow" />
        <IconButton icon="back" label="One transition back ([)" onClick={() => { pick(at - 1) }} />
        <IconButton icon="forward" label="One transition on (])" onClick={() => { pick(at + 1) }} />
      </header>
      <ol class="steps" ref={list} tabIndex={0} aria-label="Transitions">
        {steps.map((step, index) => (
          <li
            key={`${String(step.at)} ${String(step.rev ?? index)}`}
            class={lookOf(step, index === at)}
          >
            <button
              type="button" aria-current={index === at ? 'step' : undefined}
              onClick={() => { pick(index) }}
            >
              <span class="i">{step.rev ?? '·'}</span>
              <span class="ev">
                {eventWords(step.event)}
                {step.times > 1 ? ` ×${count(step.times)}` : ''}
              </span>
              <span class="to cut">to {step.leaf ?? 'nowhere'}</span>
              <time title={fullTime(step.at)}>{exactTime(step.at)}</time>
            </button>
            {index === at && <Changes step={step} before={steps[index - 1] ?? null} />}
          </li>
        ))}
      </ol>
    </section>
  )
}

function lookOf({ event }: Step, isAt: boolean): string {
  return `${isAt ? 'sel ' : ''}${badEvents.has(event) ? 'is-bad' : ''}`
}

function Changes({ step, before }: { readonly step: Step; readonly before: Step | null }) {
  return (
    <dl class="diff">
      <div><dt>by</dt><dd><bdi>{step.by}</bdi></dd></div>
      {changesOf(step, before).map(({ name, from, to }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <del><bdi>{from}</bdi></del>
            <span class="arrow" aria-label="became"> → </span>
            <bdi>{to}</bdi>
          </dd>
        </div>
      ))}
    </dl>
  )
}
