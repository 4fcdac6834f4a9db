/** The one place of this folder that imports XState. */
import type { InspectionEvent, Observer } from 'xstate'

export { createActor } from 'xstate'
export type {
  Actor, ActorLogic, ActorOptions, AnyActorRef, DoneActorEvent, Snapshot,
} from 'xstate'

/** XState calls the inspector in the middle of its work: what that throws must not go there. */
export function safeInspect(
  inspect: Observer<InspectionEvent> | ((event: InspectionEvent) => void),
  report: (message: string, error: unknown) => void,
): (event: InspectionEvent) => void {
  return (event) => {
    try {
      if (typeof inspect === 'function') inspect(event)
      else inspect.next?.(event)
    } catch (error) {
      report('the inspection threw', error)
    }
  }
}
