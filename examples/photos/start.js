// TypeScript in this very process. The command `tsx` would run it in a second one, and kill that
// soon after Ctrl-C, while the jobs that run are still ending.
import { register } from 'tsx/esm/api'

register({ tsconfig: false })
await import('./main.ts')
