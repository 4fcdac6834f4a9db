import type { Finding } from '../../stores/reading.ts'
import { Empty, Loading, Trouble } from '../parts/blank.tsx'
import { Icon } from '../parts/icon.tsx'
import { useAsked } from '../shell/asked.ts'
import { client, refusalOf } from '../shell/session.ts'
import { counted } from '../shell/words.ts'
import { noting } from './noting.ts'

const refreshMs = 30_000
const order: readonly Finding['level'][] = ['error', 'warning', 'ok']
const marks = { error: 'failed', warning: 'cancelling', ok: 'completed' } as const
const names = { error: 'amiss', warning: 'look at it', ok: 'fine' } as const

export function DoctorScreen() {
  const { value: findings, error, isLoading, again } =
    useAsked<readonly Finding[]>('doctor', () => noting(client.doctor()), refreshMs)
  return (
    <div class="page">
      <div class="title-row">
        <h1>Doctor</h1>
        {findings && findings.length > 0 && <Sum findings={findings} />}
        <span class="grow" />
        <button class="btn" type="button" disabled={isLoading} onClick={again}>Look again</button>
      </div>
      <section class="card" aria-label="Findings">
        {findings === null
          ? error ? <NoWord error={error} again={again} /> : <Loading what="findings" />
          : findings.length === 0
            ? <Empty title="This store has no doctor">
                <p>
                  A store that can look at itself lists here what it found and what to do about it:
                  its schema, its clock, its workers, how far behind it is.
                </p>
              </Empty>
            : <List findings={findings} />}
      </section>
    </div>
  )
}

function NoWord({ error, again }: { readonly error: Error; readonly again: () => void }) {
  if (refusalOf(error) === 'forbidden') {
    return (
      <Empty title="The doctor is not for you to see">
        <p>That takes the right to operate; the rest of the dashboard works without it.</p>
      </Empty>
    )
  }
  return <Trouble title="The doctor cannot be asked" error={error} again={again} />
}

function Sum({ findings }: { readonly findings: readonly Finding[] }) {
  const of = (level: Finding['level']): number =>
    findings.filter((finding) => finding.level === level).length
  const bad = of('error')
  const warned = of('warning')
  const text = bad + warned === 0 ? `${counted(findings.length, 'check')}, all fine`
    : [...(bad > 0 ? [`${String(bad)} amiss`] : []),
      ...(warned > 0 ? [`${String(warned)} to look at`] : [])]
        .join(', ')
  return <span class="muted" role="status">{text}</span>
}

function List({ findings }: { readonly findings: readonly Finding[] }) {
  const sorted = [...findings].sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level))
  return (
    <ul class="findings">
      {sorted.map(({ check, level, found, advice }, index) => (
        <li key={`${check} ${String(index)}`} class={`is-${marks[level]}`}>
          <span class="state"><Icon name={marks[level]} />{names[level]}</span>
          <div>
            <h2><bdi>{check}</bdi></h2>
            <p><bdi>{found}</bdi></p>
            {advice !== null && <p class="advice"><b>Do:</b> <bdi>{advice}</bdi></p>}
          </div>
        </li>
      ))}
    </ul>
  )
}
