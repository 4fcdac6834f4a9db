import { useRef } from 'preact/hooks'
import { unlock } from './session.ts'

/** The gateway wants a token. */
export function Lock({ refused }: { readonly refused: boolean }) {
  const field = useRef<HTMLInputElement>(null)
  const send = (event: Event): void => {
    event.preventDefault()
    const given = field.current?.value.trim() ?? ''
    if (given !== '') unlock(given)
  }
  return (
    <div class="page">
      <form class="card blank" onSubmit={send}>
        <h2>This gateway asks who you are</h2>
        <p>
          Paste the token that it was started with. It is kept in this tab until the tab is closed.
        </p>
        <label class="sr" for="token">Token</label>
        <input ref={field} id="token" class="field" type="password" autocomplete="off" autofocus />
        {refused && <p role="alert" class="bad">The gateway does not know this token.</p>}
        <button class="btn primary" type="submit">Open</button>
      </form>
    </div>
  )
}
