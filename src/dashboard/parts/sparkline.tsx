/** Points of a line in a box, as the `d` of a path, and of the area under it. */
export function sparkPaths(
  values: readonly number[], x: number, y: number, width: number, height: number,
): { readonly line: string; readonly area: string } {
  if (values.length < 2) return { line: '', area: '' }
  const low = Math.min(...values)
  const high = Math.max(...values)
  // A count that stands still is a line at the foot, not noise blown up.
  const room = Math.max(high - low, Math.abs(high) * 0.1, 1)
  const step = width / (values.length - 1)
  const points = values.map((value, index) => {
    const up = ((value - low) / room) * (height - 3) + 1
    return `${(x + index * step).toFixed(1)} ${(y + height - up).toFixed(1)}`
  })
  const line = `M${points.join('L')}`
  const foot = (y + height).toFixed(1)
  return { line, area: `${line}L${(x + width).toFixed(1)} ${foot}L${x.toFixed(1)} ${foot}Z` }
}

/** A small line of what was, without axes. */
export function Sparkline({ values, still = false }: {
  readonly values: readonly number[]
  /** Nothing moves here: shown in grey. */
  readonly still?: boolean
}) {
  const { line, area } = sparkPaths(values, 0, 0, 64, 22)
  return (
    <svg class={still ? 'spark off' : 'spark'} viewBox="0 0 64 22" aria-hidden="true">
      <path class="f" d={area} />
      <path class="l" d={line} />
    </svg>
  )
}
