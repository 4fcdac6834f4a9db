import type { JobError, WireJob } from '../../../gateway/protocol.ts'
import { IconButton } from '../../parts/controls.tsx'
import { tell } from '../../shell/toasts.tsx'
import { counted, exactTime } from '../../shell/words.ts'
import { alikeHref } from '../jobs/alike.ts'
import { badEvents } from './steps.ts'
import type { Step } from './steps.ts'

const shownCauses = 20
const shownEarlier = 10

/** The error that is kept, with what caused it; of earlier attempts what the log tells. */
export function ErrorCard({ job, steps }: {
  readonly job: WireJob
  readonly steps: readonly Step[]
}) {
  const failed = steps.filter(({ error, event }) => error !== null && badEvents.has(event))
  const last = failed.at(-1)
  const { error } = job
  const earlier = (error ? failed.slice(0, -1) : failed).slice(-shownEarlier).reverse()
  if (error === null && failed.length === 0) return null
  const chain = error ? chainOf(error) : []
  return (
    <section class="card" aria-labelledby="error">
      <header>
        <h2 id="error">
          {error ? `Error${last && last.attempt > 0 ? ` of attempt ${String(last.attempt)}` : ''}`
            : 'Errors on the way'}
        </h2>
        <span class="sub">{error && last ? exactTime(last.at) : ''}</span>
        <span class="grow" />
        {error && job.state === 'failed' && (
          <a class="btn ghost sm" href={alikeHref(job.queue, error.message)}>Failed alike</a>
        )}
        {error && (
          <IconButton icon="copy" label="Copy the error" onClick={() => { void copy(chain) }} />
        )}
      </header>
      <div class="err">
        <ol>
          {chain.map((one, index) => <Cause key={index} error={one} isFirst={index === 0} />)}
        </ol>
        {earlier.length > 0 && (
          <details open={error === null}>
            <summary>{counted(earlier.length, 'earlier error')}</summary>
            <ol class="earlier">
              {earlier.map((step) => (
                <li key={step.at}>
                  <time>{exactTime(step.at)}</time> attempt {step.attempt}: {' '}
                  <bdi>{step.error?.name}: {step.error?.message}</bdi>
                </li>
              ))}
            </ol>
          </details>
        )}
      </div>
    </section>
  )
}

function chainOf(error: JobError): readonly JobError[] {
  const chain: JobError[] = []
  for (let one: JobError | undefined = error; one && chain.length < shownCauses; one = one.cause) {
    chain.push(one)
  }
  return chain
}

function Cause({ error, isFirst }: { readonly error: JobError; readonly isFirst: boolean }) {
  const { name, message, code, stack, truncated } = error
  return (
    <li class="link-row">
      <span class="pin" aria-hidden="true" />
      <div>
        <p class="what">
          {!isFirst && <span class="muted">caused by </span>}
          <b><bdi>{name}</bdi></b> <bdi class="m">{message}</bdi>
          {code !== undefined && <span class="chip"><bdi>{code}</bdi></span>}
        </p>
        {stack !== undefined && stack !== '' && (
          <details open={isFirst}>
            <summary>stack{truncated ? ', cut where it was too long' : ''}</summary>
            <pre tabIndex={0} aria-label={`Stack of ${name}`} dir="ltr">{framesOf(stack)}</pre>
          </details>
        )}
        {stack === undefined && truncated && <p class="muted">Cut where it was too long.</p>}
      </div>
    </li>
  )
}

/** The stack begins with the message, which stands above it already. */
function framesOf(stack: string): string {
  const at = stack.search(/^\s+at /m)
  return at > 0 ? stack.slice(at) : stack
}

async function copy(chain: readonly JobError[]): Promise<void> {
  const text = chain.map(({ name, message, stack }) => stack ?? `${name}: ${message}`)
    .join('\ncaused by ')
  try {
    await navigator.clipboard.writeText(text)
    tell('The error was copied')
  } catch {
    tell('The browser does not let this page copy', true)
  }
}
