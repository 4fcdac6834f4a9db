import type {
  ChartBox, ChartGeometry, EdgeGeometry, LabelGeometry, WireChart, WireChartEdge, WireChartNode,
} from '../gateway/fleet-protocol.ts'

/** Colours in the light and in the dark, by what they stand for. */
const colours: readonly (readonly [name: string, light: string, dark: string])[] = [
  ['surface', '#ffffff', '#12151b'], ['raised', '#fafbfc', '#171b22'],
  ['line', '#cdd2dc', '#353c49'], ['ink', '#444b59', '#b7bdc9'], ['faint', '#5f6776', '#8d95a5'],
  ['edge', '#8e97a8', '#6c7688'], ['queued', '#5641b4', '#c3baff'],
  ['running', '#0f48b8', '#7db8ff'], ['cancelling', '#845600', '#f2c263'],
  ['completed', '#0a665b', '#64e0c5'], ['failed', '#ad2f08', '#ff8d61'],
  ['cancelled', '#4b4a46', '#b7b5b0'],
]
/** States of jobs in the colours of their kind; all others are plain. */
const colourOf: Readonly<Record<string, string>> = {
  queued: 'queued', ready: 'queued', delayed: 'queued', blocked: 'queued', running: 'running',
  cancelling: 'cancelling', completed: 'completed', failed: 'failed', cancelled: 'cancelled',
}
const kindColours = {
  failure: 'failed', claim: 'running', complete: 'completed', plain: 'edge',
} as const

/** Of the text in a box: pixels between lines, and of a letter in the mean. */
const lineHeight = 13
const letterWidth = 5.4
const padding = 14

/** A chart as an SVG file by itself, which follows the reader's light or dark theme. */
export function svg(chart: WireChart, geometry: ChartGeometry): string {
  const { width, height, nodes, edges } = geometry
  const boxes = chart.nodes.flatMap((node) => {
    const box = nodes[node.id]
    return box ? [{ node, box }] : []
  })
  const lines = chart.edges.flatMap((edge) => {
    const line = edges[edge.id]
    return line ? [{ edge, line }] : []
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" ` +
      `height="${height}" role="img">`,
    `<title>${escaped(`${chart.id}: ${chart.description}`)}</title>`,
    `<style>${style()}</style>`,
    `<rect class="surface" width="${width}" height="${height}"/>`,
    ...boxes.filter(({ node }) => node.kind === 'frame').map(({ node, box }) => drawBox(node, box)),
    ...boxes.filter(({ node }) => node.kind === 'state' || node.kind === 'final')
      .map(({ node, box }) => drawBox(node, box)),
    ...lines.map(({ edge, line }) => drawEdge(edge, line)),
    ...boxes.filter(({ node }) => node.kind === 'start').map(({ box }) => drawStart(box)),
    // Above all lines, so that none runs through a word.
    ...lines.flatMap(({ edge, line }) => line.labels.map((label) => drawLabel(edge, label))),
    '</svg>',
  ].join('\n')
}

function style(): string {
  const inTheme = (theme: 1 | 2): string =>
    colours.map((colour) => `--${colour[0]}:${colour[theme]}`).join(';')
  const named = colours.map(([name]) => `.is-${name}{--c:var(--${name})}`).join('')
  return `
:root{color-scheme:light dark;${inTheme(1)}}
@media (prefers-color-scheme:dark){:root{${inTheme(2)}}}
${named}
text{font:400 12px system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
.surface{fill:var(--surface)}
.box{fill:var(--surface);stroke:var(--c,var(--line))}
.frame{fill:var(--raised)}
.name{font-size:13px;font-weight:600;fill:var(--c,var(--ink))}
.said{font-size:10.5px;fill:var(--faint)}
.line{fill:none;stroke:var(--c);stroke-width:1.4;stroke-linejoin:round}
.head{fill:var(--c)}
.label{font-weight:500;fill:var(--ink);stroke:var(--surface);stroke-width:4px;paint-order:stroke}
.label.is-failed{fill:var(--failed)}
.guard{fill:var(--faint);font-weight:400}
.start{fill:var(--ink)}
`
}

function drawBox({ id, kind, description }: WireChartNode, box: ChartBox): string {
  const { x, y, width, height } = box
  const isFrame = kind === 'frame'
  const rect = `<rect class="box${isFrame ? ' frame' : ''}" x="${x}" y="${y}" width="${width}" ` +
    `height="${height}" rx="${isFrame ? 14 : 10}"/>`
  const lines = isFrame ? [] : wrapped(
    description, Math.floor((width - 2 * padding) / letterWidth),
    Math.floor((height - 27) / lineHeight),
  )
  const said = lines.map((line, index) => `<text class="said" x="${x + padding}" ` +
    `y="${y + 37 + index * lineHeight}">${escaped(line)}</text>`)
  return `<g class="is-${colourOf[id] ?? 'plain'}"><title>${escaped(description)}</title>${rect}` +
    `<text class="name" x="${x + padding}" y="${y + 21}">${escaped(id)}</text>${said.join('')}</g>`
}

/** At most so many lines of so many letters; what is over is marked. */
function wrapped(text: string, letters: number, most: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ').filter((part) => part !== '')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= letters) {
      lines[lines.length - 1] = `${last} ${word}`
    } else lines.push(word)
  }
  const kept = lines.slice(0, Math.max(0, most))
  const end = kept.at(-1)
  if (end !== undefined && kept.length < lines.length) kept[kept.length - 1] = `${end} …`
  return kept
}

function drawEdge({ events, guard, kind }: WireChartEdge, line: EdgeGeometry): string {
  const said = events.map(({ label, description }) => `${label}: ${description}`)
  const title = [...said, ...(guard === null ? [] : [`[${guard}]`])].join('\n')
  const paths = [line.path, ...line.joins]
    .map((path) => `<path class="line" d="${escaped(path)}"/>`)
  return `<g class="is-${kindColours[kind]}"><title>${escaped(title)}</title>${paths.join('')}` +
    `<path class="head" d="${arrowHead(line.points)}"/></g>`
}

const headLength = 7
const headHalf = 3.8

function arrowHead(points: EdgeGeometry['points']): string {
  const [tip, before] = [points.at(-1), points.at(-2)]
  if (!tip || !before) return ''
  const length = Math.hypot(tip[0] - before[0], tip[1] - before[1]) || 1
  const dx = (tip[0] - before[0]) / length
  const dy = (tip[1] - before[1]) / length
  const corner = (side: 1 | -1): string => {
    const x = tip[0] - dx * headLength - side * dy * headHalf
    const y = tip[1] - dy * headLength + side * dx * headHalf
    return `${x.toFixed(1)} ${y.toFixed(1)}`
  }
  return `M${tip[0]} ${tip[1]}L${corner(1)}L${corner(-1)}Z`
}

function drawStart({ x, y, width, height }: ChartBox): string {
  return `<circle class="start" cx="${x + width / 2}" cy="${y + height / 2}" r="5"/>`
}

function drawLabel({ kind }: WireChartEdge, { x, y, anchor, text, guard }: LabelGeometry): string {
  const condition = guard === null
    ? '' : `<tspan class="guard">${text === '' ? '' : ' '}${escaped(`[${guard}]`)}</tspan>`
  const look = kind === 'failure' ? 'label is-failed' : 'label'
  return `<text class="${look}" x="${x}" y="${y}" text-anchor="${anchor}">${escaped(text)}` +
    `${condition}</text>`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;',
}

/** Text as XML takes it, in elements and attributes. */
function escaped(text: string): string {
  return text.toWellFormed().replace(/[^\t\n\r\u0020-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"']/g, (letter) => entities[letter] ?? letter)
}
