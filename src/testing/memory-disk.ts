import { basename, dirname } from 'node:path'
import type { Disk, DiskFile } from '../env.ts'

/** A content: what was written, and how much of it survives a power cut. */
interface Inode {
  bytes: Buffer
  synced: number
  /** A sync of these bytes has failed: they are lost, whatever later syncs say. */
  doomed: { readonly from: number; readonly to: number } | null
  modifiedAt: number
}

interface NameChange {
  readonly path: string
  readonly inode: Inode | null
}

export type Operation =
  | 'open' | 'append' | 'datasync' | 'close' | 'rename' | 'remove' | 'truncate'
  | 'syncDirectory' | 'makeDirectory' | 'touch'

/** An operation that is about to change the disk. `index` counts from 1. */
export interface Happening {
  readonly index: number
  readonly operation: Operation
  readonly path: string
}

/** What goes wrong: the code of the system's error, and how much of an append is done anyway. */
export interface Fault {
  readonly code: string
  readonly part?: number
  /** A sync says that all is well, and has done nothing. */
  readonly lies?: boolean
}

/**
 * A disk in memory that forgets what was not synced when the power is cut, and fails on demand.
 * Changes of names need a sync of their directory, bytes a sync of their file.
 */
export class MemoryDisk implements Disk {
  /** Sees each change before it is made; may answer with a fault. */
  before: (happening: Happening) => Fault | undefined = () => undefined
  now: () => number = () => 0
  changes = 0
  #names = new Map<string, Inode>()
  #durable = new Map<string, Inode>()
  /** Changes of names that are not durable yet, oldest first. */
  #pending: NameChange[] = []
  /** Files of /proc, and links; never lost, never counted. */
  #system = new Map<string, string>()

  constructor(pid = 10_000_001, boot = 'boot-1') {
    this.become(pid, boot)
  }

  /** Gives the process that uses this disk another identity; the processes before it are dead. */
  become(pid: number, boot = 'boot-1', started = String(pid), namespace = 'pid:[1]'): void {
    this.#system = new Map([
      ['/proc/sys/kernel/random/boot_id', `${boot}\n`],
      ['/proc/sys/kernel/hostname', 'host-1\n'],
      ['/proc/self/ns/pid', namespace],
    ])
    this.setProcess('self', pid, started)
    this.setProcess(String(pid), pid, started)
  }

  /** Puts a process, or another fact of the system, where this disk's users see it. */
  setProcess(name: string, pid: number, started: string): void {
    const fields = ['S', ...Array.from({ length: 18 }, () => '0'), started, '0']
    this.#system.set(`/proc/${name}/stat`, `${pid} (node (a) b) ${fields.join(' ')}\n`)
  }

  setSystem(path: string, text: string | null): void {
    if (text === null) this.#system.delete(path)
    else this.#system.set(path, text)
  }

  /** A copy as the next process finds it after SIGKILL: all that was written is there. */
  crashed(pid = 10_000_002): MemoryDisk {
    return this.#copy(pid, this.#names, (inode) => ({ ...inode, bytes: Buffer.from(inode.bytes) }))
  }

  /** A copy after a power cut; `random` says how much of what was not synced is there. */
  powerCut(random: () => number, pid = 10_000_002): MemoryDisk {
    const names = new Map(this.#durable)
    const kept = Math.floor(random() * (this.#pending.length + 1))
    for (const change of this.#pending.slice(0, kept)) set(names, change)
    return this.#copy(pid, names, ({ bytes, synced, doomed, modifiedAt }) => {
      const length = synced + Math.floor(random() * (bytes.length - synced + 1))
      const left = Buffer.from(bytes.subarray(0, length))
      if (doomed) left.fill(0, Math.min(doomed.from, length), Math.min(doomed.to, length))
      return { bytes: left, synced: left.length, doomed: null, modifiedAt }
    })
  }

  #copy(pid: number, names: ReadonlyMap<string, Inode>, of: (inode: Inode) => Inode): MemoryDisk {
    const copy = new MemoryDisk(pid)
    copy.now = this.now
    const copies = new Map([...new Set(names.values())].map((inode) => [inode, of(inode)]))
    for (const [path, inode] of names) copy.#names.set(path, copies.get(inode) ?? of(inode))
    copy.#durable = new Map(copy.#names)
    return copy
  }

  /** Content as it is now; an empty one when there is no such file. */
  content(path: string): Buffer {
    return this.#names.get(path)?.bytes ?? Buffer.alloc(0)
  }

  /** Puts a content in place, durably, past all hooks. Null removes. */
  put(path: string, bytes: Buffer | null): void {
    const inode = bytes &&
      { bytes, synced: bytes.length, doomed: null, modifiedAt: this.now() }
    set(this.#names, { path, inode })
    set(this.#durable, { path, inode })
  }

  paths(): string[] {
    return [...this.#names.keys()].sort()
  }

  /** Everything that is there, to see whether anything was changed. */
  image(): Record<string, string> {
    const paths = this.paths()
    return Object.fromEntries(paths.map((path) => [path, this.content(path).toString('latin1')]))
  }

  readLink = (path: string): Promise<string | undefined> =>
    Promise.resolve(this.#system.get(path))

  realPath = (path: string): Promise<string> => Promise.resolve(this.#system.get(path) ?? path)

  async read(path: string): Promise<Buffer | undefined> {
    const system = this.#system.get(path)
    if (system !== undefined) return Buffer.from(system)
    const inode = this.#names.get(path)
    return inode && Buffer.from(inode.bytes)
  }

  async list(path: string): Promise<readonly string[]> {
    return this.paths().filter((name) => dirname(name) === path).map((name) => basename(name))
  }

  async modifiedAt(path: string): Promise<number | undefined> {
    return this.#names.get(path)?.modifiedAt
  }

  async open(path: string, mode: 'append' | 'truncate' | 'exclusive'): Promise<DiskFile> {
    this.#happen('open', path)
    let inode = this.#names.get(path)
    if (inode && mode === 'exclusive') throw failure('EEXIST', 'open', path)
    if (!inode) {
      inode = { bytes: Buffer.alloc(0), synced: 0, doomed: null, modifiedAt: this.now() }
      this.#name({ path, inode })
    }
    if (mode === 'truncate') this.#cut(inode, 0)
    return this.#file(path, inode)
  }

  #file(path: string, inode: Inode): DiskFile {
    return {
      append: async (bytes) => {
        const fault = this.#fault('append', path)
        const done = fault ? bytes.subarray(0, fault.part ?? 0) : bytes
        inode.bytes = Buffer.concat([inode.bytes, done])
        inode.modifiedAt = this.now()
        if (fault) throw failure(fault.code, 'append', path)
      },
      datasync: async () => {
        const fault = this.#fault('datasync', path)
        if (fault?.lies) return
        if (fault) {
          // What Linux does: the pages count as clean from now on, and are not on the disk.
          inode.doomed = { from: inode.doomed?.from ?? inode.synced, to: inode.bytes.length }
          throw failure(fault.code, 'datasync', path)
        }
        inode.synced = inode.bytes.length
      },
      close: async () => { this.#happen('close', path) },
    }
  }

  async rename(from: string, to: string): Promise<void> {
    this.#happen('rename', from)
    const inode = this.#names.get(from)
    if (!inode) throw failure('ENOENT', 'rename', from)
    this.#name({ path: to, inode })
    this.#name({ path: from, inode: null })
  }

  async remove(path: string): Promise<void> {
    this.#happen('remove', path)
    if (this.#names.has(path)) this.#name({ path, inode: null })
  }

  async truncate(path: string, length: number): Promise<void> {
    this.#happen('truncate', path)
    const inode = this.#names.get(path)
    if (!inode) throw failure('ENOENT', 'truncate', path)
    this.#cut(inode, length)
    inode.synced = inode.bytes.length
  }

  async touch(path: string): Promise<void> {
    this.#happen('touch', path)
    const inode = this.#names.get(path)
    if (!inode) throw failure('ENOENT', 'touch', path)
    inode.modifiedAt = this.now()
  }

  async makeDirectory(path: string): Promise<void> {
    this.#happen('makeDirectory', path)
  }

  async syncDirectory(path: string): Promise<void> {
    this.#happen('syncDirectory', path)
    const here = (change: NameChange): boolean => dirname(change.path) === path
    for (const change of this.#pending.filter(here)) set(this.#durable, change)
    this.#pending = this.#pending.filter((change) => !here(change))
  }

  #cut(inode: Inode, length: number): void {
    inode.bytes = inode.bytes.subarray(0, length)
    inode.synced = Math.min(inode.synced, length)
    if (inode.doomed && inode.doomed.from >= length) inode.doomed = null
  }

  #name(change: NameChange): void {
    set(this.#names, change)
    this.#pending.push(change)
  }

  #happen(operation: Operation, path: string): void {
    const fault = this.#fault(operation, path)
    if (fault) throw failure(fault.code, operation, path)
  }

  #fault(operation: Operation, path: string): Fault | undefined {
    this.changes += 1
    return this.before({ index: this.changes, operation, path })
  }
}

function set(names: Map<string, Inode>, { path, inode }: NameChange): void {
  if (inode) names.set(path, inode)
  else names.delete(path)
}

function failure(code: string, operation: Operation, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${operation} ${path}`), { code })
}
