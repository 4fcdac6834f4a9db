import { basename, dirname, join } from 'node:path'
import type { Disk } from '../../env.ts'
import type { StoreContext } from '../store.ts'
import { Engine } from './engine.ts'
import type { Sizes } from './engine.ts'
import { toStoreError } from './group-commit.ts'

/** One user's part of an engine. */
export interface Share {
  readonly engine: Engine
  /** Gives the part back; the last one closes the engine. */
  release(): Promise<void>
}

interface Shared {
  readonly engine: Promise<Engine>
  users: number
  closing: Promise<void> | null
}

/** Files that are open in this process, by their real paths. */
const files = new WeakMap<Disk, Map<string, Shared>>()

/** Opens a file, or joins those who have it open already. */
export async function takeShare(
  context: StoreContext, path: string, sizes: Sizes,
): Promise<Share> {
  const { disk } = context.env
  const open = files.get(disk) ?? new Map<string, Shared>()
  files.set(disk, open)
  const real = await realPath(disk, path).catch((error: unknown) => {
    throw toStoreError('open', error)
  })
  for (let last = open.get(real); last?.closing; last = open.get(real)) await last.closing
  let shared = open.get(real)
  if (!shared) {
    shared = { engine: Engine.open(context, real, sizes), users: 0, closing: null }
    open.set(real, shared)
  }
  shared.users += 1
  return joined(shared, open, real)
}

async function joined(shared: Shared, open: Map<string, Shared>, real: string): Promise<Share> {
  try {
    const engine = await shared.engine
    return { engine, release: () => release(shared, engine, open, real) }
  } catch (error) {
    if (open.get(real) === shared) open.delete(real)
    throw error
  }
}

async function release(
  shared: Shared, engine: Engine, open: Map<string, Shared>, real: string,
): Promise<void> {
  shared.users -= 1
  if (shared.users > 0) return
  shared.closing = engine.close().finally(() => { open.delete(real) })
  await shared.closing
}

/** A file that is not there yet has the real path of its directory. */
async function realPath(disk: Disk, path: string): Promise<string> {
  const directory = dirname(path)
  await disk.makeDirectory(directory)
  // Its own name lasts, too, where the directory above may be read.
  await disk.syncDirectory(dirname(directory)).catch(() => undefined)
  return disk.realPath(join(await disk.realPath(directory), basename(path)))
}
