import { openOn } from './troupe.mjs'

/** Troupe on its default store. */
export const open = (options) => openOn(undefined, options)
