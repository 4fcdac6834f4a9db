import type { Coverage } from './coverage.ts'
import type { Fleet } from './fleet.ts'
import { FilePlace } from './places.ts'
import type { Fault } from './plan.ts'
import type { Scheduler } from './scheduler.ts'

/** Lets a fault happen, if there is still somebody whom it can meet. */
export function strike(
  fault: Fault, fleet: Fleet, coverage: Coverage, scheduler: Scheduler,
): void {
  const { place, plan } = fleet
  if (fault.type === 'power cut' || fault.type === 'disk error' || fault.type === 'lying sync') {
    // Counted when the disk comes to it.
    if (place instanceof FilePlace) place.plan(fault.change, fault)
    return
  }
  const node = fleet.node(fault.node)
  if (!node?.alive) return
  const { clock, link } = node.body
  switch (fault.type) {
    case 'call':
      link?.plan(fault.method, fault.mishap)
      return coverage.fault(`call ${fault.mishap.type}`)
    case 'crash':
      coverage.fault('crash')
      return fleet.crash(node, fault.backMs)
    case 'stop':
      coverage.fault('stop')
      return void fleet.stop(node, fault.graceMs, fault.backMs)
    case 'freeze':
      coverage.fault(fault.ms > plan.leaseMs ? 'freeze past the lease' : 'freeze')
      return clock.freeze(fault.ms)
    case 'cut':
      coverage.fault(`cut, ${fault.how}`)
      link?.cut(fault.how)
      scheduler.at(scheduler.now + fault.ms, () => { link?.heal() })
      return
    case 'clock jump':
      coverage.fault('clock jump')
      return clock.jump(fault.ms)
  }
}
