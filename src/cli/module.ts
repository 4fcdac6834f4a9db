import { extname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { systemEnv } from '../env.ts'
import { TroupeErrorOf } from '../errors.ts'
import type { Troupe } from '../orchestrator/troupe.ts'
import type { Store } from '../stores/store.ts'
import { exitCodes, messageOf, Refusal, usageError } from './exit.ts'

/** What a function that a module exports is called with. */
export interface ModuleContext {
  /** The store of `--store` or `TROUPE_STORE`; not opened yet. */
  readonly store: Store
}

const form =
  'it must export a troupe, or a function ({ store }) => troupe, as default or as `troupe`'

/** The troupe that a module exports or makes. `store` is asked for by a function only. */
export async function loadTroupe(
  given: string, store: () => Promise<Store>, storeWasTyped: boolean,
): Promise<Troupe> {
  const path = resolve(given)
  if (await systemEnv.disk.modifiedAt(path) === undefined) {
    throw usageError(`there is no module ${path}`)
  }
  if (/^\.[cm]?tsx?$/.test(extname(path))) await readTypeScript()
  const module = await import(pathToFileURL(path).href).catch((error: unknown) => {
    throw new Refusal(
      exitCodes.failed, `the module ${given} could not be loaded: ${messageOf(error)}`,
      { cause: error },
    )
  }) as { readonly default?: unknown; readonly troupe?: unknown }
  const exported = await (module.default ?? module.troupe)
  if (exported === undefined) throw usageError(`the module ${given} exports nothing: ${form}`)
  if (typeof exported === 'function') {
    const context: ModuleContext = { store: await store() }
    return checked(given, await (exported as (context: ModuleContext) => unknown)(context))
  }
  const troupe = checked(given, exported)
  if (!storeWasTyped) return troupe
  throw usageError(
    `the module ${given} has opened its own store: leave --store away, or export a function`,
  )
}

function checked(given: string, value: unknown): Troupe {
  const methods = ['queue', 'queues', 'observe', 'start', 'stop', 'announce'] as const
  const ok = typeof value === 'object' && value !== null &&
    methods.every((name) => typeof (value as Partial<Troupe>)[name] === 'function')
  if (ok) return value as Troupe
  throw usageError(`the module ${given} gives no troupe: ${form}`)
}

/** Node strips types itself from 22.18 on; before that the package tsx does it. */
async function readTypeScript(): Promise<void> {
  if ((process.features as { readonly typescript?: unknown }).typescript) return
  try {
    const { register } = await import('tsx/esm/api')
    register()
  } catch (error) {
    throw new TroupeErrorOf(
      'missing-package', 'for modules in TypeScript install tsx, or use Node 22.18 or later',
      { package: 'tsx' }, { cause: error },
    )
  }
}
