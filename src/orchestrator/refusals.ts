import { TroupeErrorOf } from '../errors.ts'

export function stopped(operation: string): TroupeErrorOf<'stopped'> {
  return new TroupeErrorOf('stopped', `${operation}: the troupe was stopped`, { operation })
}

export function queueExists(queue: string): TroupeErrorOf<'queue-exists'> {
  return new TroupeErrorOf(
    'queue-exists', `queue ${queue} was declared already; call queue(name) to get it`, { queue },
  )
}
