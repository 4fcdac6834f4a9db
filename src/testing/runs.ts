/** How often a property runs: `TROUPE_RUNS=10` makes all of them ten times as thorough. */
export function runs(normally: number): { readonly numRuns: number } {
  const factor = Number(process.env['TROUPE_RUNS'] ?? 1)
  return { numRuns: Math.max(1, Math.round(normally * factor)) }
}
