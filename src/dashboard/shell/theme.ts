import { effect, signal } from '@preact/signals'
import { remember, remembered } from '../page-env.ts'

type Theme = 'light' | 'dark'

const system = matchMedia('(prefers-color-scheme: dark)')
const kept = remembered('theme')
const chosen = signal<Theme | null>(kept === 'light' || kept === 'dark' ? kept : null)

effect(() => {
  const root = document.documentElement
  if (chosen.value === null) root.removeAttribute('data-theme')
  else root.setAttribute('data-theme', chosen.value)
})

/** Light to dark and back; what the system has is followed until somebody chooses. */
export function switchTheme(): void {
  const shown = chosen.value ?? (system.matches ? 'dark' : 'light')
  chosen.value = shown === 'dark' ? 'light' : 'dark'
  remember('theme', chosen.value)
}
