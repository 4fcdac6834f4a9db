import { hostname } from 'node:os'
import type { Disk } from '../../env.ts'

/** Which process this is, as exactly as the system can tell; null for what it cannot. */
export interface Holder {
  readonly pid: number
  /** Clock ticks from boot to the start of the process: a pid that came again has another one. */
  readonly started: string | null
  /** Changes with each boot of the machine. */
  readonly boot: string | null
  /** In containers the pid is 1 everywhere. */
  readonly pidNamespace: string | null
  readonly host: string
}

/** What the lock file holds. */
export interface Lock extends Holder {
  readonly token: string
  /** Epoch milliseconds. */
  readonly since: number
  /** Where the gateway of the process is. */
  readonly gateway?: string
}

/** A holder that cannot be looked up is dead when its lock was not touched for this long. */
export const staleAfterMs = 20_000

export async function thisProcess(disk: Disk): Promise<Holder> {
  const stat = await readStat(disk, 'self')
  return {
    pid: stat?.pid ?? process.pid,
    started: stat?.started ?? null,
    boot: await readText(disk, '/proc/sys/kernel/random/boot_id'),
    pidNamespace: (await disk.readLink('/proc/self/ns/pid')) ?? null,
    host: (await readText(disk, '/proc/sys/kernel/hostname')) ?? hostname(),
  }
}

/** Whether `holder` lives no more, judged from `self`; `idleMs` is how old its last sign is. */
export async function isDead(
  disk: Disk, holder: Holder, self: Holder, idleMs: number,
): Promise<boolean> {
  const silent = idleMs > staleAfterMs
  if (holder.boot === null || self.boot === null) {
    return holder.host === self.host && !signals(holder.pid) ? true : silent
  }
  if (holder.boot !== self.boot) return holder.host === self.host || silent
  if (holder.pidNamespace === null || holder.pidNamespace !== self.pidNamespace) return silent
  const stat = await readStat(disk, String(holder.pid))
  return stat === null || stat.started !== holder.started
}

/** For systems without /proc. */
function signals(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

async function readText(disk: Disk, path: string): Promise<string | null> {
  try {
    return (await disk.read(path))?.toString().trim() || null
  } catch {
    return null
  }
}

async function readStat(
  disk: Disk, process: string,
): Promise<{ readonly pid: number; readonly started: string } | null> {
  const text = await readText(disk, `/proc/${process}/stat`)
  if (text === null) return null
  // The name in parentheses may itself hold spaces and parentheses.
  const started = text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  return started === undefined ? null : { pid: Number.parseInt(text, 10), started }
}
