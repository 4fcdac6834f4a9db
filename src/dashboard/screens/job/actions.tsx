import { useRef, useState } from 'preact/hooks'
import type { JobAction, WireJob } from '../../../gateway/protocol.ts'
import { Confirm, Dialog } from '../../parts/controls.tsx'
import { go, hrefOf } from '../../shell/router.ts'
import { client, isReadOnly } from '../../shell/session.ts'
import { doAndTell } from '../../shell/toasts.tsx'

/** What can be done to this job now, by the chart and by the user's rights. */
export function Actions({ job, again }: { readonly job: WireJob; readonly again: () => void }) {
  const [asked, setAsked] = useState<JobAction | null>(null)
  const { can, queue, id } = job
  if (isReadOnly.value) return <p class="muted">Read-only: nothing can be done to it here.</p>
  if (can.length === 0) return <p class="muted">You may look at it and not change it.</p>
  const close = (): void => { setAsked(null) }
  const act = (work: () => Promise<string>): void => {
    close()
    void doAndTell(work).then(again)
  }
  const face = client.queue(queue)
  return (
    <div class="actions">
      {can.includes('cancel') && (
        <button class="btn danger" type="button" onClick={() => { setAsked('cancel') }}>
          Cancel…
        </button>
      )}
      {can.includes('retry') && (
        <button
          class="btn" type="button"
          onClick={() => { act(async () => words[await face.retry(id)] ?? '') }}
        >
          Retry
        </button>
      )}
      {can.includes('reschedule') && (
        <button class="btn" type="button" onClick={() => { setAsked('reschedule') }}>
          Reschedule…
        </button>
      )}
      {can.includes('remove') && (
        <button class="btn danger" type="button" onClick={() => { setAsked('remove') }}>
          Remove…
        </button>
      )}
      {asked !== null && <Asked what={asked} job={job} act={act} close={close} />}
    </div>
  )
}

/** The dialog of what asks before it does anything. */
function Asked({ what, job, act, close }: {
  readonly what: JobAction
  readonly job: WireJob
  readonly act: (work: () => Promise<string>) => void
  readonly close: () => void
}) {
  const { queue, id } = job
  const face = client.queue(queue)
  return (
    <>
      {what === 'cancel' && (
        <AskText
          title={`Cancel ${job.label ?? id}?`} verb="Cancel it" label="Reason, kept with the job"
          hint={job.state === 'queued' ? 'It waits: it is cancelled at once.'
            : 'It runs: its signal aborts, and it has its grace to end.'}
          onNo={close}
          onYes={(reason) => {
            act(async () => words[await face.cancel(id, reason === '' ? undefined : reason)] ?? '')
          }}
        />
      )}
      {what === 'reschedule' && (
        <AskText
          title={`When may ${job.label ?? id} run?`} verb="Reschedule it"
          label="now, 30s, 5m, 2h or 1d"
          hint="From now on. It still waits for the jobs that it depends on." start="now"
          onNo={close}
          onYes={(when) => {
            act(async () => words[await face.reschedule(id, (when || 'now') as 'now')] ?? '')
          }}
        />
      )}
      {what === 'remove' && (
        <Confirm
          title={`Remove ${job.label ?? id}?`} verb="Remove it" onNo={close}
          onYes={() => {
            act(async () => {
              const answer = await face.remove(id)
              if (answer === 'removed') go(hrefOf('jobs', [], { queue }))
              return words[answer] ?? ''
            })
          }}
        >
          <p class="soft">The job is taken out of the store. This cannot be undone.</p>
        </Confirm>
      )}
    </>
  )
}

const words: Readonly<Record<string, string>> = {
  cancelled: 'The job was cancelled',
  cancelling: 'The job was told to end',
  settled: 'The job had settled before',
  unknown: 'There is no such job any more',
  retried: 'The job begins a new life',
  'not-failed': 'The job has not failed: nothing to retry',
  removed: 'The job was removed',
  live: 'The job runs: it cannot be removed now',
  rescheduled: 'The job was moved',
  'not-queued': 'The job does not wait: it cannot be moved',
}

function AskText({ title, verb, label, hint, start = '', onYes, onNo }: {
  readonly title: string
  readonly verb: string
  readonly label: string
  readonly hint: string
  readonly start?: string
  readonly onYes: (text: string) => void
  readonly onNo: () => void
}) {
  const field = useRef<HTMLInputElement>(null)
  const send = (): void => { onYes(field.current?.value.trim() ?? '') }
  return (
    <Dialog label={title} onClose={onNo}>
      <h2><bdi>{title}</bdi></h2>
      <p class="soft">{hint}</p>
      <label class="asked">
        <span>{label}</span>
        <input
          ref={field} class="field" autocomplete="off" defaultValue={start} autofocus
          onKeyDown={(event) => { if (event.key === 'Enter') send() }}
        />
      </label>
      <div class="row">
        <button class="btn" type="button" onClick={onNo}>Leave it</button>
        <button class="btn primary" type="button" onClick={send}>{verb}</button>
      </div>
    </Dialog>
  )
}
