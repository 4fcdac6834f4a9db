import { Dialog } from '../parts/controls.tsx'
import { isHelpOpen, shortcutsNow } from './keyboard.ts'

/** What can be pressed here. */
export function Help() {
  if (!isHelpOpen.value) return null
  return (
    <Dialog label="Shortcuts" wide onClose={() => { isHelpOpen.value = false }}>
      <h2>Shortcuts</h2>
      <div class="keys">
        {shortcutsNow().map(({ title, shortcuts }) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>{shortcuts.map(({ keys, does }) => [
              <dt key={keys}>{keys.split(' ').map((key) => <kbd key={key}>{key}</kbd>)}</dt>,
              <dd key={does}>{does}</dd>,
            ])}</dl>
          </section>
        ))}
      </div>
      <div class="row">
        <button class="btn" type="button" onClick={() => { isHelpOpen.value = false }}>
          Close
        </button>
      </div>
    </Dialog>
  )
}
