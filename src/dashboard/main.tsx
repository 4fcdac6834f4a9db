import { render } from 'preact'
import { App } from './app.tsx'
import { begin } from './shell/session.ts'

const root = document.getElementById('app')
if (!root) throw new Error('the page has no place for the dashboard')
begin()
render(<App />, root)
