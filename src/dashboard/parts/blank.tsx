import type { ComponentChildren } from 'preact'

/** Nothing is here yet: what would be, and the line of code that puts it there. */
export function Empty({ title, code, children }: {
  readonly title: string
  readonly code?: string
  readonly children?: ComponentChildren
}) {
  return (
    <div class="blank">
      <h2>{title}</h2>
      {children}
      {code !== undefined && <pre tabIndex={0} aria-label="Code">{code}</pre>}
    </div>
  )
}

/** Something is asked for. Takes the room that the answer will have. */
export function Loading({ what }: { readonly what: string }) {
  return <div class="wait" role="status"><span class="sr">Loading {what}</span><i /><i /><i /></div>
}

/** What failed, what still works, what to do. */
export function Trouble({ title, error, again, children }: {
  readonly title: string
  readonly error: Error
  readonly again?: () => void
  readonly children?: ComponentChildren
}) {
  return (
    <div class="blank bad" role="alert">
      <h2>{title}</h2>
      <p>{error.message}</p>
      {children}
      {again && <button class="btn" type="button" onClick={again}>Try again</button>}
    </div>
  )
}
