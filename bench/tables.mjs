/** Figures as Markdown tables. A cell is the median of the rounds, with the lowest and highest. */
import { quantile } from './load.mjs'

export function reader(rounds) {
  const valuesOf = (system, measure, key) =>
    rounds.map((round) => round[system]?.[measure]?.[key]).filter((value) => value !== undefined)
  const ratiosOf = (system, over, measure, key = 'rate') =>
    rounds
      .map((round) => round[system]?.[measure]?.[key] / round[over]?.[measure]?.[key])
      .filter((ratio) => Number.isFinite(ratio))
  return { valuesOf, ratiosOf }
}

export function table(systems, columns, valuesOf, homeTitle = 'jobs live in') {
  const head = ['system', homeTitle, ...columns.map((column) => column.title)]
  const rows = systems.map(({ name, home }) => [
    name,
    home,
    ...columns.map(({ measure, key }) => spread(valuesOf(name, measure, key))),
  ])
  return markdown(head, rows)
}

/** `pairs` is a list of [system, over, measures that are shown]. */
export function ratioTable(names, pairs, columns, ratiosOf) {
  const rows = pairs
    .filter(([system, over]) => names.includes(system) && names.includes(over))
    .map(([system, over, shown]) => [
      `${system} / ${over}`,
      ...columns.map(({ measure, key }) =>
        shown.includes(measure) ? spread(ratiosOf(system, over, measure, key)) : '',
      ),
    ])
  if (rows.length === 0) return []
  const head = ['ratio', ...columns.map((column) => column.title)]
  return ['**Ratios** (taken within each round)', '', ...markdown(head, rows), '']
}

export function aimLines(aims, columns, { valuesOf, ratiosOf }) {
  return aims.map(({ system, over, measure, key = 'rate', min, max, unit }) => {
    const values = over ? ratiosOf(system, over, measure, key) : valuesOf(system, measure, key)
    const { title } = columns.find((each) => each.measure === measure && each.key === key)
    const what = `${title}, ${over ? `${system} / ${over}` : system}`
    const aim = over ? `at least ${min}` : `at most ${count(max)} ${unit}`
    if (values.length === 0) return `* not measured: ${what}, aim ${aim}`
    const median = quantile(values, 0.5)
    const reached = over ? median >= min : median <= max
    return `* ${reached ? 'reached' : '**not reached**'}: ${what}, aim ${aim}: ${spread(values)}`
  })
}

function markdown(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}

function spread(values) {
  if (values.length === 0) return 'not measured'
  if (values.length === 1) return figure(values[0])
  const [low, high] = [Math.min(...values), Math.max(...values)].map(figure)
  return `${figure(quantile(values, 0.5))} (${low}–${high})`
}

function figure(value) {
  if (Math.abs(value) >= 100) return count(Math.round(value))
  if (Math.abs(value) >= 10) return value.toFixed(1)
  return value.toFixed(Math.abs(value) >= 1 ? 2 : 3)
}

export const count = (value) => value.toLocaleString('en-US')
