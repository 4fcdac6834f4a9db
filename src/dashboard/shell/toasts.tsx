import { signal } from '@preact/signals'
import { after } from '../page-env.ts'
import { toError } from './session.ts'

interface Toast {
  readonly id: number
  readonly text: string
  readonly bad: boolean
}

const shown = signal<readonly Toast[]>([])
const stayMs = 5000
let last = 0

/** Tells what became of something the user did, for five seconds and to screen readers. */
export function tell(text: string, bad = false): void {
  const toast = { id: last += 1, text, bad }
  shown.value = [...shown.value.slice(-2), toast]
  after(bad ? stayMs * 2 : stayMs, () => {
    shown.value = shown.value.filter(({ id }) => id !== toast.id)
  })
}

/** Does something on the gateway and tells what it said, or why it did not come about. */
export async function doAndTell(
  act: () => Promise<string>,
): Promise<void> {
  try {
    tell(await act())
  } catch (error) {
    tell(toError(error).message, true)
  }
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.value.map(({ id, text, bad }) => (
        <div key={id} class={bad ? 'toast bad' : 'toast'}>{text}</div>
      ))}
    </div>
  )
}
