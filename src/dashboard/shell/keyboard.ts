import { useEffect, useRef } from 'preact/hooks'
import { signal } from '@preact/signals'
import { after } from '../page-env.ts'

/** A key or two in a row (`g f`), what it does, and the act. */
export interface Shortcut {
  readonly keys: string
  readonly does: string
  readonly act: () => void
}

const layers: { readonly title: string; readonly shortcuts: () => readonly Shortcut[] }[] = []
const prefixMs = 1200
let prefix = ''
let forget = (): void => undefined

/** The help is open. */
export const isHelpOpen = signal(false)

/**
 * Keys that work while a component is shown; the component shown last wins. Not while somebody
 * types, but for Escape, and not while a dialog is open.
 */
export function useShortcuts(title: string, shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts)
  latest.current = shortcuts
  useEffect(() => {
    const layer = { title, shortcuts: () => latest.current }
    layers.push(layer)
    return () => { layers.splice(layers.indexOf(layer), 1) }
  }, [title])
}

/** What can be pressed now, for the help: by part of the page, the outermost first. */
export function shortcutsNow(): readonly { title: string; shortcuts: readonly Shortcut[] }[] {
  return layers.map(({ title, shortcuts }) => ({ title, shortcuts: shortcuts() }))
}

addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
  if (isTyping(event.target)) {
    if (event.key === 'Escape') (event.target as HTMLElement).blur()
    return
  }
  if (document.querySelector('dialog[open]') !== null) return
  const key = event.key === ' ' ? 'Space' : event.key
  if ((key === 'Enter' || key === 'Space') && isControl(event.target)) return
  const pressed = prefix === '' ? key : `${prefix} ${key}`
  clearPrefix()
  const all = layers.toReversed().flatMap(({ shortcuts }) => shortcuts())
  const found = all.find(({ keys }) => keys === pressed)
  if (found) {
    event.preventDefault()
    found.act()
  } else if (all.some(({ keys }) => keys.startsWith(`${pressed} `))) {
    prefix = pressed
    forget = after(prefixMs, clearPrefix)
  }
})

function clearPrefix(): void {
  prefix = ''
  forget()
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  const { tagName } = target
  if (tagName === 'INPUT') {
    const { type } = target as HTMLInputElement
    return !['checkbox', 'radio', 'button', 'range', 'file'].includes(type)
  }
  return tagName === 'TEXTAREA' || tagName === 'SELECT' || target.isContentEditable
}

/** Enter and Space belong to it. */
function isControl(target: EventTarget | null): boolean {
  return target instanceof Element &&
    target.closest('a, button, summary, [role=link], [role=button]') !== null
}
