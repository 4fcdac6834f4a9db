import { randomFillSync } from 'node:crypto'
import { constants } from 'node:fs'
import * as fs from 'node:fs/promises'

/** A running timer. */
export interface Timer {
  cancel(): void
}

/** An open file of the disk door. */
export interface DiskFile {
  /** Appends all bytes; may leave a part of them behind when it fails. */
  append(bytes: Uint8Array): Promise<void>
  /** Resolves when what was appended survives a power cut. */
  datasync(): Promise<void>
  close(): Promise<void>
}

/** The files that a file-backed store needs, and nothing more. Paths are absolute. */
export interface Disk {
  /** Creates directories up to `path`. */
  makeDirectory(path: string): Promise<void>
  /** The one name of a path, links followed; the path itself when it does not exist. */
  realPath(path: string): Promise<string>
  /** Where a link leads, unresolved; undefined when there is no such link. */
  readLink(path: string): Promise<string | undefined>
  /** Whole content, or undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>
  /** Names in a directory, in no order. */
  list(path: string): Promise<readonly string[]>
  /** Opens for appending; with `exclusive`, fails with EEXIST when the file exists. */
  open(path: string, mode: 'append' | 'truncate' | 'exclusive'): Promise<DiskFile>
  rename(from: string, to: string): Promise<void>
  /** Removes a file; no error when it is gone already. */
  remove(path: string): Promise<void>
  /** Makes creations, renames and removals in a directory durable. */
  syncDirectory(path: string): Promise<void>
  /** Cuts a file to `length` bytes, durably. */
  truncate(path: string, length: number): Promise<void>
  /** Sets the modification time to now. */
  touch(path: string): Promise<void>
  /** Modification time in epoch milliseconds, or undefined when there is no such file. */
  modifiedAt(path: string): Promise<number | undefined>
}

/**
 * The only door to clock, timers, ids, randomness and disk. Tests and simulations bring their own.
 */
export interface Env {
  /** Milliseconds since the epoch. May jump. */
  now(): number
  /** Milliseconds that never jump; only differences mean something. */
  monotonic(): number
  /** Runs `action` once, after `delayMs` (any length; the system's 2^31 limit is handled). */
  after(delayMs: number, action: () => void): Timer
  /** Runs `action` after what the event loop has in hand now. */
  soon(action: () => void): void
  /** In [0, 1). */
  random(): number
  /** A new id that nobody else makes. */
  id(): string
  readonly disk: Disk
}

/** The longest delay that the platform's timers take; a longer one fires at once. */
const longestTimerMs = 2 ** 31 - 1

function after(delayMs: number, action: () => void): Timer {
  let left = delayMs
  let handle: ReturnType<typeof setTimeout>
  const arm = (): void => {
    const step = Math.min(left, longestTimerMs)
    left -= step
    handle = setTimeout(() => {
      if (left > 0) arm()
      else action()
    }, step)
  }
  arm()
  return { cancel: () => { clearTimeout(handle) } }
}

const openFlags = {
  append: constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND,
  truncate: constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC,
  exclusive: constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL,
} as const

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function readLink(path: string): Promise<string | undefined> {
  try {
    return await fs.readlink(path)
  } catch {
    // Not there, no link, or a system without links: all the same to the one who asks.
    return undefined
  }
}

async function open(path: string, mode: keyof typeof openFlags): Promise<DiskFile> {
  const file = await fs.open(path, openFlags[mode], 0o600)
  return {
    async append(bytes) {
      let offset = 0
      while (offset < bytes.length) {
        const { bytesWritten } = await file.write(bytes, offset, bytes.length - offset)
        offset += bytesWritten
      }
    },
    datasync: () => file.datasync(),
    close: () => file.close(),
  }
}

const disk: Disk = {
  open,
  makeDirectory: async (path) => { await fs.mkdir(path, { recursive: true }) },
  realPath: async (path) => (await unlessMissing(fs.realpath(path))) ?? path,
  readLink,
  read: (path) => unlessMissing(fs.readFile(path)),
  list: async (path) => (await unlessMissing(fs.readdir(path))) ?? [],
  rename: (from, to) => fs.rename(from, to),
  remove: async (path) => { await unlessMissing(fs.unlink(path)) },
  truncate: async (path, length) => {
    const file = await fs.open(path, constants.O_WRONLY)
    try {
      await file.truncate(length)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  syncDirectory: async (path) => {
    const directory = await fs.open(path, constants.O_RDONLY)
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
  touch: async (path) => {
    const now = new Date()
    await fs.utimes(path, now, now)
  },
  modifiedAt: async (path) => (await unlessMissing(fs.stat(path)))?.mtimeMs,
}

/** 120 random bits: 20 characters. */
const idBytes = 15
const pool = Buffer.alloc(idBytes * 256)
let poolOffset = pool.length

/** `randomUUID` leaves a tree of string parts on the heap, ten times the size of its text. */
function newId(): string {
  if (poolOffset === pool.length) {
    randomFillSync(pool)
    poolOffset = 0
  }
  poolOffset += idBytes
  return pool.toString('base64url', poolOffset - idBytes, poolOffset)
}

/** The real machine. */
export const systemEnv: Env = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after,
  soon: (action) => { setImmediate(action) },
  random: () => Math.random(),
  id: newId,
  disk,
}
