import { signal } from '@preact/signals'
import { IconButton } from '../parts/controls.tsx'
import { second } from '../page-env.ts'
import { useAsked } from './asked.ts'
import { isHelpOpen } from './keyboard.ts'
import { hrefOf, place, screens } from './router.ts'
import type { ScreenName } from './router.ts'
import { client, isLost, isOffline, lastNewsAt, session } from './session.ts'
import { switchTheme } from './theme.ts'
import { ago, count } from './words.ts'

const workersMs = 30_000

/** Small figures beside the names of tabs; a user who may not see the workers sees none. */
function useFigures(): Readonly<Partial<Record<ScreenName, number>>> {
  const isReady = session.value.state === 'ready'
  const { value } = useAsked(isReady ? 'workers' : null, () => client.workers(), workersMs)
  return value ? { workers: value.length } : {}
}

/** In place of `Live`, when the screen shows another moment: its clock. */
export const shownMoment = signal<string | null>(null)

export function Header() {
  const { screen } = place.value
  const figures = useFigures()
  return (
    <header class="top">
      <a class="brand" href={hrefOf('fleet')}>
        <svg viewBox="0 0 22 22" aria-hidden="true">
          <rect width="22" height="22" rx="6" fill="var(--ink)" />
          <circle cx="6" cy="9" r="2" fill="var(--queued)" />
          <circle cx="11" cy="7" r="2.5" fill="var(--surface)" />
          <circle cx="16" cy="9" r="2" fill="var(--completed)" />
          <path
            d="M4 14.6c4.2 2.6 9.8 2.6 14 0" fill="none" stroke="var(--surface)"
            stroke-width="1.8" stroke-linecap="round"
          />
        </svg>
        Troupe
      </a>
      <nav class="tabs" aria-label="Screens">
        {screens.map(({ name, title }) => (
          <a key={name} href={hrefOf(name)} aria-current={name === screen ? 'page' : undefined}>
            {title}
            {figures[name] !== undefined && <span class="n">{count(figures[name])}</span>}
          </a>
        ))}
      </nav>
      <span class="grow" />
      <Who />
      <Pulse />
      <IconButton icon="moon" label="Dark or light (t)" onClick={switchTheme} />
      <button
        class="btn ghost icon sm only-wide" type="button" aria-label="Shortcuts (?)"
        onClick={() => { isHelpOpen.value = true }}
      >
        <kbd>?</kbd>
      </button>
    </header>
  )
}

function Who() {
  const is = session.value
  if (is.state !== 'ready') return null
  const { user, version } = is.hello
  return (
    <span class="status only-wide">
      <span class="muted">{version}</span>{user !== 'local' && <bdi>{user}</bdi>}
    </span>
  )
}

/** Live, or since when not, in words. */
function Pulse() {
  if (shownMoment.value !== null) {
    return <span class="status"><span class="dot off" />{shownMoment.value}</span>
  }
  if (isOffline.value) return <span class="status"><span class="dot off" />No gateway</span>
  if (!isLost.value) return <span class="status"><span class="dot beat" />Live</span>
  return (
    <span class="status">
      <span class="dot lost" />Last news {ago(second.value - lastNewsAt())} ago
    </span>
  )
}
