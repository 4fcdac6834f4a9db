import { useEffect, useState } from 'preact/hooks'

const narrow = matchMedia('(max-width: 767px)')

/** Columns that there is room for: those of the class `only-wide` not on a telephone. */
export function fitting<C extends { readonly width?: string }>(
  columns: readonly C[], isNarrow: boolean,
): readonly C[] {
  return isNarrow ? columns.filter(({ width = '' }) => !width.includes('only-wide')) : columns
}

/** The page is as wide as a telephone, now. */
export function useIsNarrow(): boolean {
  const [isNarrow, setNarrow] = useState(narrow.matches)
  useEffect(() => {
    const change = (): void => { setNarrow(narrow.matches) }
    narrow.addEventListener('change', change)
    return () => { narrow.removeEventListener('change', change) }
  }, [])
  return isNarrow
}
