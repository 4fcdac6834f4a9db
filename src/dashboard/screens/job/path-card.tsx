import { useState } from 'preact/hooks'
import type { WireJob } from '../../../gateway/protocol.ts'
import { charts } from '../../chart/charts.ts'
import { jobGeometry } from '../../chart/geometry.ts'
import { Segments } from '../../parts/controls.tsx'
import { second } from '../../page-env.ts'
import { useIsNarrow } from '../../parts/narrow.ts'
import { PathChart } from './path-chart.tsx'
import { lifeStart, timeIn } from './steps.ts'
import type { Step } from './steps.ts'

/** The chart with the way that the job went, up to the step that is looked at. */
export function PathCard({ job, steps, at }: {
  readonly job: WireJob | null
  readonly steps: readonly Step[]
  /** The step that is looked at; the last one is now. */
  readonly at: number
}) {
  const [which, setWhich] = useState<'life' | 'all'>('life')
  const isNarrow = useIsNarrow()
  const isLast = at === steps.length - 1
  const sofar = steps.slice(0, at + 1)
  const start = lifeStart(sofar)
  const shown = which === 'life' ? sofar.slice(start) : sofar
  const end = isLast ? job?.settledAt ?? second.value : steps[at]?.at ?? 0
  const step = steps[at]
  return (
    <section class="card" aria-labelledby="path">
      <header>
        <h2 id="path">Path</h2>
        <span class="sub">
          {isLast ? 'numbers are transitions'
            : `as it was at transition ${String(step?.rev ?? at + 1)}`}
        </span>
        <span class="grow" />
        {lifeStart(steps) > 0 && (
          <Segments
            label="Which lives" value={which} onPick={setWhich}
            options={[['life', 'This life'], ['all', 'All lives']]}
          />
        )}
      </header>
      <div class="chart-box">
        <PathChart
          chart={charts.value.job} geometry={isNarrow ? jobGeometry.narrow : jobGeometry.compact}
          isNarrow={isNarrow} steps={shown} here={step?.leaf ?? null}
          times={timeIn(shown, Math.max(end, step?.at ?? 0))}
          attempt={step?.attempt ?? 0}
        />
      </div>
    </section>
  )
}
