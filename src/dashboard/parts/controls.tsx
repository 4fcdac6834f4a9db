import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { useShortcuts } from '../shell/keyboard.ts'
import { Icon } from './icon.tsx'
import type { IconName } from './icon.tsx'

/** One of a few, side by side. */
export function Segments<T extends string>({ label, options, value, onPick }: {
  readonly label: string
  readonly options: readonly (readonly [value: T, text: string])[]
  readonly value: T
  readonly onPick: (value: T) => void
}) {
  return (
    <div class="seg" role="group" aria-label={label}>
      {options.map(([option, text]) => (
        <button
          key={option} type="button" aria-pressed={option === value}
          onClick={() => { onPick(option) }}
        >
          {text}
        </button>
      ))}
    </div>
  )
}

/** One of many, or none: a filter. */
export function Pick({ label, any, options, value, onPick }: {
  readonly label: string
  /** The word for no choice: `all`, `any`. */
  readonly any: string
  readonly options: readonly string[]
  readonly value: string | null
  readonly onPick: (value: string | null) => void
}) {
  const all = value === null || options.includes(value) ? options : [value, ...options]
  return (
    <label class={value === null ? 'pick' : 'pick on'}>
      <span>{label}</span>
      <b class="cut"><bdi>{value ?? any}</bdi></b>
      <Icon name="down" />
      <select
        aria-label={label} value={value ?? ''}
        onChange={(event) => { onPick(event.currentTarget.value || null) }}
      >
        <option value="">{any}</option>
        {all.map((option) => <option key={option} value={option}>{option}</option>)}
      </select>
    </label>
  )
}

/** The field that `/` leads to. */
export function Find({ label, value, onInput }: {
  readonly label: string
  readonly value: string
  readonly onInput: (text: string) => void
}) {
  const field = useRef<HTMLInputElement>(null)
  useShortcuts('Filter', [
    { keys: '/', does: 'filter', act: () => { field.current?.focus() } },
  ])
  return (
    <label class="find">
      <Icon name="search" />
      <span class="sr">{label}</span>
      <input
        ref={field} type="search" value={value} placeholder={label} spellcheck={false}
        autocomplete="off" onInput={(event) => { onInput(event.currentTarget.value) }}
      />
      <kbd aria-hidden="true">/</kbd>
    </label>
  )
}

/** A button that is a picture: the label says what it does. */
export function IconButton({ icon, label, onClick, pressed, small = true }: {
  readonly icon: IconName
  readonly label: string
  readonly onClick: () => void
  readonly pressed?: boolean
  readonly small?: boolean
}) {
  return (
    <button
      class={`btn ghost icon${small ? ' sm' : ''}`} type="button" aria-label={label} title={label}
      aria-pressed={pressed} onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  )
}

/** A dialog over the page; Escape closes it. Rendered only while it is open. */
export function Dialog({ label, wide = false, onClose, children }: {
  readonly label: string
  readonly wide?: boolean
  readonly onClose: () => void
  readonly children: ComponentChildren
}) {
  const box = useRef<HTMLDialogElement>(null)
  useEffect(() => { box.current?.showModal() }, [])
  return (
    <dialog ref={box} class={wide ? 'wide' : ''} aria-label={label} onClose={onClose}>
      <div>{children}</div>
    </dialog>
  )
}

/** Asks once before something that cannot be undone; says how many and which. */
export function Confirm({ title, verb, onYes, onNo, children }: {
  readonly title: string
  readonly verb: string
  readonly onYes: () => void
  readonly onNo: () => void
  readonly children?: ComponentChildren
}) {
  return (
    <Dialog label={title} onClose={onNo}>
      <h2>{title}</h2>
      {children}
      <div class="row">
        <button class="btn" type="button" onClick={onNo}>Leave it</button>
        <button class="btn primary danger" type="button" autofocus onClick={onYes}>{verb}</button>
      </div>
    </Dialog>
  )
}
