import { Empty, Loading, Trouble } from '../../parts/blank.tsx'
import { Dialog } from '../../parts/controls.tsx'
import { second } from '../../page-env.ts'
import { useAsked } from '../../shell/asked.ts'
import { client } from '../../shell/session.ts'
import { ago, fullTime } from '../../shell/words.ts'
import { noting } from '../noting.ts'
import { ownZone, whenWords } from './rules.ts'

const shownTimes = 12

/** The next occurrences in the viewer's zone. */
export function Preview({ queue, schedule, onClose }: {
  readonly queue: string
  readonly schedule: string
  readonly onClose: () => void
}) {
  const { value, error, again } = useAsked<readonly number[]>(
    `${queue}\0${schedule}`, () =>
      noting(client.queue(queue).schedules.preview(schedule, shownTimes)),
  )
  const now = second.value
  return (
    <Dialog label={`Next runs of ${schedule}`} onClose={onClose}>
      <h2>Next runs of <bdi>{schedule}</bdi></h2>
      <p class="soft">Times of your zone, {ownZone()}.</p>
      {value === null && (error
        ? <Trouble title="The next runs cannot be computed" error={error} again={again} />
        : <Loading what="next runs" />)}
      {value?.length === 0 && <Empty title="There are none any more" />}
      <ol class="next-runs">
        {value?.map((at) => (
          <li key={at}>
            <span title={fullTime(at)}>{whenWords(at, now)}</span>
            <span class="muted">in {ago(at - now)}</span>
          </li>
        ))}
      </ol>
      <div class="row"><button class="btn" type="button" onClick={onClose}>Close</button></div>
    </Dialog>
  )
}
