import { useEffect } from 'preact/hooks'
import type { ComponentType } from 'preact'
import { FleetScreen } from './fleet/fleet-screen.tsx'
import { Empty, Loading } from './parts/blank.tsx'
import { Sprite } from './parts/icon.tsx'
import { second } from './page-env.ts'
import { Header } from './shell/header.tsx'
import { Help } from './shell/help.tsx'
import { isHelpOpen, useShortcuts } from './shell/keyboard.ts'
import { Lock } from './shell/lock.tsx'
import { go, hrefOf, place, screens } from './shell/router.ts'
import type { ScreenName } from './shell/router.ts'
import { isLost, isReadOnly, lastNewsAt, session } from './shell/session.ts'
import { switchTheme } from './shell/theme.ts'
import { Toasts } from './shell/toasts.tsx'
import { ago } from './shell/words.ts'
import { DoctorScreen } from './screens/doctor-screen.tsx'
import { EventsScreen } from './screens/events-screen.tsx'
import { JobScreen } from './screens/job-screen.tsx'
import { JobsScreen } from './screens/jobs-screen.tsx'
import { SchedulesScreen } from './screens/schedules-screen.tsx'
import { WorkersScreen } from './screens/workers-screen.tsx'

const shown: Readonly<Record<ScreenName, ComponentType>> = {
  fleet: FleetScreen, jobs: JobsScreen, workers: WorkersScreen, schedules: SchedulesScreen,
  events: EventsScreen, doctor: DoctorScreen,
}

export function App() {
  const { screen, parts } = place.value
  const title = screens.find(({ name }) => name === screen)?.title ?? ''
  useEffect(() => { document.title = `${parts[1] ?? title} · Troupe` }, [title, parts[1]])
  useShortcuts('Everywhere', [
    ...screens.map(({ name, title: to, key }) => ({
      keys: `g ${key}`, does: to, act: () => { go(hrefOf(name)) },
    })),
    { keys: 't', does: 'dark or light', act: switchTheme },
    { keys: '?', does: 'this help', act: () => { isHelpOpen.value = true } },
  ])
  return (
    <>
      <Sprite />
      <a class="skip" href="#main" onClick={skip}>To the content</a>
      <Header />
      <Bars />
      <main id="main" tabIndex={-1} class={isLost.value ? 'stale' : ''}><Screen /></main>
      <Help />
      <Toasts />
    </>
  )
}

/** The hash is the router's: the link moves the focus and nothing else. */
function skip(event: Event): void {
  event.preventDefault()
  document.getElementById('main')?.focus()
}

function Screen() {
  const is = session.value
  const { screen, parts } = place.value
  if (is.state === 'loading') return <div class="page"><Loading what="the dashboard" /></div>
  if (is.state === 'locked') return <Lock refused={is.refused} />
  if (screen !== 'fleet' && is.state !== 'ready') return <NoGateway />
  if (screen === 'jobs' && parts.length === 2) return <JobScreen key={parts.join('/')} />
  const Shown = shown[screen]
  return <Shown />
}

function NoGateway() {
  return (
    <div class="page">
      <section class="card">
        <Empty title="There is no gateway behind this page">
          <p>
            This screen asks a gateway for what it shows. The fleet can be shown from an exported
            log: open <a class="link" href={hrefOf('fleet')}>Fleet</a> and import one.
          </p>
        </Empty>
      </section>
    </div>
  )
}

/** What a user must know before reading anything on the page. */
function Bars() {
  const is = session.value
  return (
    <>
      {is.state === 'failed' && (
        <div class="bar" role="alert">
          <b>No answer from the gateway.</b>
          <span class="grow">{is.error.message}. Asking again every two seconds.</span>
        </div>
      )}
      {isLost.value && is.state === 'ready' && (
        <div class="bar" role="alert">
          <b>Reconnecting</b>
          <span class="grow" aria-live="off">last news {ago(second.value - lastNewsAt())} ago</span>
        </div>
      )}
      {is.state === 'ready' && isReadOnly.value && (
        <div class="bar plain">
          This gateway is read-only: nothing can be changed from here.
        </div>
      )}
    </>
  )
}
