import { dirname } from 'node:path'
import { TroupeErrorOf } from '../../errors.ts'
import type { Disk, Env, Timer } from '../../env.ts'
import { isDead, staleAfterMs, thisProcess } from './holder.ts'
import type { Holder, Lock } from './holder.ts'

const beatMs = 5_000
/** Without a beat for this long somebody else may soon take the lock: look before each write. */
const doubtMs = 15_000
const maxAttempts = 20

/** Locks of this process that it could not remove when it was done with them. */
const givenUp = new WeakMap<Disk, Set<string>>()

type Found = { readonly lock: Lock | null; readonly idleMs: number }

/** The right of one process to work on a file, kept in a file beside it. */
export class FileLock {
  readonly #env: Env
  readonly #file: string
  readonly #path: string
  readonly #self: Holder
  readonly #token: string
  readonly #since: number
  #timer: Timer | null = null
  #seenAt = 0
  #lost: Error | null = null
  #released = false

  /** Takes the lock of `file`, or rejects with `store-locked`. */
  static async take(env: Env, file: string, report: (message: string) => void): Promise<FileLock> {
    const lock = new FileLock(env, file, await thisProcess(env.disk))
    try {
      await lock.#take(report)
    } catch (error) {
      await lock.#giveUp().catch(() => undefined)
      throw error
    }
    lock.#seenAt = env.monotonic()
    lock.#beatLater()
    return lock
  }

  private constructor(env: Env, file: string, self: Holder) {
    this.#env = env
    this.#file = file
    this.#path = `${file}.lock`
    this.#self = self
    this.#token = env.id()
    this.#since = env.now()
  }

  /** Throws when the lock is lost; looks at the file only when the last look is long ago. */
  check(): Promise<void> | undefined {
    if (this.#lost) throw this.#lost
    return this.#env.monotonic() - this.#seenAt > doubtMs ? this.verify() : undefined
  }

  /** Looks whether the lock is still ours, and throws `store-locked` from then on when not. */
  async verify(): Promise<void> {
    if (this.#lost) throw this.#lost
    const found = await this.#look(this.#path)
    if (found?.lock?.token === this.#token) {
      this.#seenAt = this.#env.monotonic()
      return
    }
    this.#timer?.cancel()
    this.#lost = this.#locked(found?.lock ?? null, 'was taken over by')
    throw this.#lost
  }

  /** Says in the lock where the gateway of this process is; null: nowhere any more. */
  async announce(address: string | null): Promise<void> {
    const { disk } = this.#env
    const draft = `${this.#path}.gateway`
    await this.#write(draft, 'truncate', address)
    await this.verify()
    await disk.rename(draft, this.#path)
  }

  async release(): Promise<void> {
    this.#released = true
    this.#timer?.cancel()
    if (this.#lost) return
    const mine = this.#disown()
    await this.verify()
    await this.#env.disk.remove(this.#path)
    mine.delete(this.#token)
  }

  /** From now on this process treats what it left behind as stale. */
  #disown(): Set<string> {
    const mine = givenUp.get(this.#env.disk) ?? new Set()
    givenUp.set(this.#env.disk, mine.add(this.#token))
    return mine
  }

  #beatLater(): void {
    // It may be given back while it is touched.
    if (this.#released) return
    this.#timer = this.#env.after(beatMs, () => {
      this.#beat().then(
        () => { this.#beatLater() },
        () => { if (!this.#lost) this.#beatLater() },
      )
    })
  }

  async #beat(): Promise<void> {
    await this.verify()
    await this.#env.disk.touch(this.#path)
  }

  async #take(report: (message: string) => void): Promise<void> {
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      const found = await this.#look(this.#path)
      if (found && !await this.#isStale(found)) throw this.#locked(found.lock, 'is in use by')
      if (!await this.#replace(found)) continue
      if (found) {
        report(`took over the lock of ${this.#file} from ${describe(found.lock)}, which is gone`)
      }
      return
    }
    throw this.#locked(null, 'is in use by')
  }

  /**
   * Puts our lock in the place of a stale one, or of none. The right to do so is a claim: a file
   * named after what it replaces, created exclusively and then renamed to the lock. While it is
   * there nobody else can replace the same lock, and who comes later finds another one there. Who
   * takes away the claim of a living process only makes it try again: what counts is whose token
   * is in the lock in the end.
   */
  async #replace(old: Found | undefined): Promise<boolean> {
    const { disk } = this.#env
    const name = old?.lock?.token.replace(/[^\w-]/g, '_') ?? (old ? 'unreadable' : 'new')
    const claim = `${this.#path}.${name}`
    if (!await this.#create(claim)) {
      const other = await this.#look(claim)
      if (!other) return false
      if (other.lock && !await this.#isStale(other)) {
        throw this.#locked(other.lock, 'is being opened by')
      }
      await disk.remove(claim)
      return false
    }
    const found = await this.#look(this.#path)
    if (found?.lock?.token !== old?.lock?.token || !found !== !old) {
      await disk.remove(claim)
    } else {
      await disk.rename(claim, this.#path).catch(async (error: unknown) => {
        await disk.remove(claim).catch(() => undefined)
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      })
      await disk.syncDirectory(dirname(this.#path))
    }
    return (await this.#look(this.#path))?.lock?.token === this.#token
  }

  /** Leaves nothing of ours behind when the lock could not be taken in good order. */
  async #giveUp(): Promise<void> {
    this.#disown()
    const found = await this.#look(this.#path)
    if (found?.lock?.token === this.#token) await this.#env.disk.remove(this.#path)
  }

  /** False when the file exists. */
  async #create(path: string): Promise<boolean> {
    return this.#write(path, 'exclusive', null).then(() => true, (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    })
  }

  async #write(
    path: string, mode: 'exclusive' | 'truncate', gateway: string | null,
  ): Promise<void> {
    const lock: Lock = {
      ...this.#self, token: this.#token, since: this.#since, ...(gateway !== null && { gateway }),
    }
    const file = await this.#env.disk.open(path, mode)
    try {
      await file.append(Buffer.from(`${JSON.stringify(lock)}\n`))
      await file.datasync()
    } catch (error) {
      await this.#env.disk.remove(path).catch(() => undefined)
      throw error
    } finally {
      await file.close()
    }
  }

  async #look(path: string): Promise<Found | undefined> {
    const modifiedAt = await this.#env.disk.modifiedAt(path)
    const bytes = await this.#env.disk.read(path)
    if (modifiedAt === undefined || !bytes) return undefined
    return { lock: parse(bytes), idleMs: this.#env.now() - modifiedAt }
  }

  /** Nobody makes a lock without content; a disk may. */
  #isStale({ lock, idleMs }: Found): Promise<boolean> {
    if (!lock) return Promise.resolve(idleMs > staleAfterMs)
    if (givenUp.get(this.#env.disk)?.has(lock.token)) return Promise.resolve(true)
    return isDead(this.#env.disk, lock, this.#self, idleMs)
  }

  #locked(holder: Lock | null, how: string): Error {
    const name = describe(holder)
    const gateway = holder?.gateway ?? null
    const way = gateway === null
      ? 'let that process serve the others through a gateway (it has none now)'
      : `use the gateway of that process, at ${gateway}`
    return new TroupeErrorOf(
      'store-locked',
      `${this.#file} ${how} ${name}. A lowdb file belongs to one process at a time: either ` +
        `${way}, or keep the jobs in PostgreSQL, a store for several processes`,
      { file: this.#file, holder: name, gateway },
    )
  }
}

function parse(bytes: Buffer): Lock | null {
  try {
    const lock = JSON.parse(bytes.toString()) as Lock | null
    return typeof lock?.token === 'string' && typeof lock.pid === 'number' ? lock : null
  } catch {
    return null
  }
}

function describe(lock: Lock | null): string {
  if (!lock) return 'an unknown process'
  return `process ${lock.pid} on ${lock.host} (since ${new Date(lock.since).toISOString()})`
}
