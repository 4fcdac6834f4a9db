import * as fc from 'fast-check'
import { burst } from './burst.ts'
import { addKeyed } from './keyed.ts'
import {
  add, addMany, advance, cancel, crash, drain, finish, join, pause, remove, reschedule, resume,
  retry, stop,
} from './steps.ts'
import type { Command, Model } from './steps.ts'
import type { World } from './world.ts'

/** Any sequence of what users, handlers, time and fate may do. */
export function commands(size: number): fc.Arbitrary<Iterable<Command>> {
  return fc.commands<Model, World, false>(
    [
      add, add, add, add, addKeyed, addKeyed, addMany, addMany, cancel, cancel, retry, remove,
      reschedule, pause, resume, resume, drain, finish, finish, finish, finish,
      advance, advance, advance, join, stop, crash, burst, burst, burst,
    ],
    { maxCommands: size, size: 'max' },
  )
}
