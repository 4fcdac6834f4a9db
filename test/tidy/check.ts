import type { Source, Violation } from './files.ts'
import { checkCycles, checkOrphans } from './graph.ts'
import { checkLayers } from './layers.ts'
import { checkFunctions, checkMarks, checkName, checkSizes } from './sizes.ts'
import { checkDeclarations, checkGlobals } from './syntax.ts'

/** All rules, for the product's own sources. */
export function checkProduct(
  sources: readonly Source[],
  entries: readonly string[],
): Violation[] {
  const perFile = [
    checkSizes, checkFunctions, checkName, checkMarks, checkGlobals, checkDeclarations,
  ]
  return [
    ...sources.flatMap((file) => perFile.flatMap((check) => check(file))),
    ...checkLayers(sources),
    ...checkCycles(sources),
    ...checkOrphans(sources, entries),
  ]
}

/** The rules for tests, scripts and examples. */
export function checkCompanions(sources: readonly Source[]): Violation[] {
  return sources.flatMap((file) => checkSizes(file))
}
