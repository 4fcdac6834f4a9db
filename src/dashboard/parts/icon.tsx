import type { JSX } from 'preact'
import type { Phase, State } from '../../../machines/vocabulary.ts'

const line = { fill: 'none', stroke: 'currentColor', 'stroke-width': 1.5 } as const
const round = { 'stroke-linecap': 'round', 'stroke-linejoin': 'round' } as const
const ring = <circle cx="7" cy="7" r="5.25" {...line} />

/** Every state has a shape of its own, so that it is known without colour. */
const shapes = {
  queued: <circle cx="7" cy="7" r="5.25" {...line} stroke-dasharray="2.2 1.92" />,
  ready: <>{ring}<circle cx="7" cy="7" r="2.2" fill="currentColor" /></>,
  delayed: <>{ring}<path d="M7 4.2V7l2 1.4" {...line} {...round} /></>,
  blocked: (
    <>
      <rect x="1.75" y="1.75" width="10.5" height="10.5" rx="3" {...line} />
      <path d="M4.6 7h4.8" {...line} {...round} />
    </>
  ),
  running: (
    <path
      d="M3.4 2.5v9a.6.6 0 0 0 .92.5l7.1-4.5a.6.6 0 0 0 0-1L4.32 2a.6.6 0 0 0-.92.5Z"
      fill="currentColor"
    />
  ),
  cancelling: <>{ring}<path d="M7 3.6a3.4 3.4 0 0 1 0 6.8Z" fill="currentColor" /></>,
  completed: (
    <>
      <circle cx="7" cy="7" r="6" fill="currentColor" />
      <path d="M4.3 7.2 6.2 9l3.5-3.9" {...line} {...round} stroke="var(--surface)" />
    </>
  ),
  failed: (
    <>
      <path d="M7 .7 13.3 7 7 13.3.7 7Z" fill="currentColor" />
      <path d="m5.3 5.3 3.4 3.4m0-3.4L5.3 8.7" {...line} {...round} stroke="var(--surface)" />
    </>
  ),
  cancelled: <>{ring}<path d="m3.6 10.4 6.8-6.8" {...line} /></>,
  search: (
    <><circle cx="6" cy="6" r="4" {...line} /><path d="m9 9 3.2 3.2" {...line} {...round} /></>
  ),
  down: <path d="m3.5 5.2 3.5 3.5 3.5-3.5" {...line} {...round} />,
  pause: <path d="M4.5 3v8M9.5 3v8" {...line} {...round} stroke-width="2" />,
  play: <path d="M4 2.8v8.4l6.8-4.2Z" fill="currentColor" />,
  back: (
    <><path d="M10.5 3v8L5 7Z" fill="currentColor" /><path d="M3.5 3v8" {...line} {...round} /></>
  ),
  forward: (
    <><path d="M3.5 3v8L9 7Z" fill="currentColor" /><path d="M10.5 3v8" {...line} {...round} /></>
  ),
  moon: (
    <path d="M11.6 8.5A5.2 5.2 0 0 1 5.5 2.4a5.2 5.2 0 1 0 6.1 6.1Z" {...line} {...round} />
  ),
  copy: (
    <>
      <rect x="4.7" y="4.7" width="7" height="7" rx="1.6" {...line} />
      <path d="M9.3 2.3H4a1.7 1.7 0 0 0-1.7 1.7v5.3" {...line} {...round} />
    </>
  ),
  out: <path d="M7 2v6.4M4.4 6 7 8.6 9.6 6M2.5 11.5h9" {...line} {...round} />,
  into: <path d="M7 8.6V2.2M4.4 4.8 7 2.2l2.6 2.6M2.5 11.5h9" {...line} {...round} />,
  check: <path d="M3 7.4 5.8 10 11 4.2" {...line} {...round} stroke-width="2" />,
  dash: <path d="M3.5 7h7" {...line} {...round} stroke-width="2" />,
  gauge: <path d="M2 10a5 5 0 1 1 10 0M7 10l2.4-3.4" {...line} {...round} />,
  close: <path d="m3.6 3.6 6.8 6.8m0-6.8-6.8 6.8" {...line} {...round} />,
  more: (
    <>{[3, 7, 11].map((x) => <circle cx={x} cy="7" r="1.2" fill="currentColor" />)}</>
  ),
} satisfies Record<string, JSX.Element>

export type IconName = keyof typeof shapes

/** The shapes, once in the page. */
export function Sprite() {
  return (
    <svg class="sprite" aria-hidden="true">
      {Object.entries(shapes).map(([name, shape]) => (
        <symbol id={`i-${name}`} viewBox="0 0 14 14">{shape}</symbol>
      ))}
    </svg>
  )
}

/** Decoration: what it means is said in words beside it, or in the name of the button. */
export function Icon({ name }: { readonly name: IconName }) {
  return <svg class="glyph" viewBox="0 0 14 14" aria-hidden="true"><use href={`#i-${name}`} /></svg>
}

/** The shape and the word of a state or phase, in its colour. */
export function StateMark({ state }: { readonly state: State | Phase }) {
  return <span class={`state is-${state}`}><Icon name={state} />{state}</span>
}

/** A queued job is shown as its phase. */
export function shownState(job: { readonly state: State; readonly phase: Phase | null }) {
  return job.phase ?? job.state
}
