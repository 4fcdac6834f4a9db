import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { StateMark, shownState } from '../../parts/icon.tsx'
import { useRowKeys } from '../../parts/table.tsx'
import { second } from '../../page-env.ts'
import { useShortcuts } from '../../shell/keyboard.ts'
import { go, hrefOf } from '../../shell/router.ts'
import { ago, fullTime } from '../../shell/words.ts'
import { useIsNarrow } from '../../parts/narrow.ts'
import { attemptWords, noteOf, sinceOf } from './job-words.ts'
import type { JobPages } from './pages.ts'
import { choose, chosen, isChosen, nothing, toggle } from './selection.ts'
import { rowKey } from './slot.ts'
import type { Row } from './slot.ts'

const rowHeight = 28
const spare = 12

/** What of the list is in sight. */
export interface Sight {
  readonly first: number
  readonly end: number
}

/** A window of rows over as many as there are: only what is in sight is in the page. */
export function JobsTable({ pages, isOneQueue, onSight }: {
  readonly pages: JobPages
  readonly isOneQueue: boolean
  readonly onSight: (sight: Sight, cursor: number) => void
}) {
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const [height, setHeight] = useState(700)
  const { room: length } = pages
  const shift = pages.shift.value
  const shifted = useRef({ pages, shift })
  const columns = useIsNarrow() ? 4 : 9
  const first = Math.max(0, Math.floor(top / rowHeight) - spare)
  const end = Math.min(length, Math.ceil((top + height) / rowHeight) + spare)
  const rows = pages.rows(first, end)
  const cursor = useRowKeys('Jobs', length, (index) => { openRow(pages, index) })
  useSelectKeys(pages, cursor)
  useEffect(() => { onSight({ first, end }, cursor) }, [first, end, cursor, pages.slots.value])
  useEffect(() => {
    const place = box.current
    if (!place) return undefined
    const watcher = new ResizeObserver(() => { setHeight(place.clientHeight) })
    watcher.observe(place)
    return () => { watcher.disconnect() }
  }, [])
  useEffect(() => {
    const place = box.current
    if (!place || cursor < 0) return
    const at = cursor * rowHeight
    const room = place.clientHeight - rowHeight * 2
    if (at < place.scrollTop) place.scrollTop = at
    else if (at > place.scrollTop + room) place.scrollTop = at - room
  }, [cursor])
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0
  }, [pages])
  useLayoutEffect(() => {
    const last = shifted.current
    if (box.current && last.pages === pages) {
      box.current.scrollTop += (shift - last.shift) * rowHeight
    }
    shifted.current = { pages, shift }
  }, [pages, shift])
  return (
    <div
      class="rows" ref={box} tabIndex={0} role="region" aria-label="Jobs"
      onScroll={(event) => { setTop(event.currentTarget.scrollTop) }}
    >
      <table class="jobs-table" aria-rowcount={pages.isWhole ? length : -1}>
        <caption class="sr">Jobs</caption>
        <Head pages={pages} isOneQueue={isOneQueue} />
        <tbody>
          {first > 0 && <Gap rows={first} columns={columns} />}
          {rows.map((row, index) => (
            <JobRow
              key={row ? rowKey(row.line) : `wait ${String(first + index)}`} row={row} pages={pages}
              index={first + index} isCursor={first + index === cursor} isOneQueue={isOneQueue}
              columns={columns}
            />
          ))}
          {end < length && <Gap rows={length - end} columns={columns} />}
        </tbody>
      </table>
    </div>
  )
}

function openRow(pages: JobPages, index: number): void {
  const [row] = pages.rows(index, index + 1)
  if (row) go(hrefOf('jobs', [row.line.queue, row.line.id]))
}

function useSelectKeys(pages: JobPages, cursor: number): void {
  useShortcuts('Selection', [
    { keys: 'x', does: 'select or not', act: () => {
      const [row] = pages.rows(cursor, cursor + 1)
      if (row) toggle(row.line, pages.all().map(({ line }) => line))
    } },
    { keys: 'a', does: 'all that match', act: () => { chosen.value = { all: true } } },
    { keys: 'Escape', does: 'select nothing', act: () => { chosen.value = nothing } },
  ])
}

/** Rows that are not in the page, as room. */
function Gap({ rows, columns }: { readonly rows: number; readonly columns: number }) {
  return (
    <tr class="gap" aria-hidden="true">
      <td colSpan={columns} style={{ height: `${String(rows * rowHeight)}px` }} />
    </tr>
  )
}

function Head({ pages, isOneQueue }: {
  readonly pages: JobPages
  readonly isOneQueue: boolean
}) {
  const is = chosen.value
  const isAny = is.all || is.lines.size > 0
  return (
    <thead>
      <tr>
        <th scope="col" class="w-check">
          <input
            type="checkbox" class="check" aria-label="Select what is shown"
            checked={isAny}
            onChange={() => {
              if (isAny) chosen.value = nothing
              else choose(pages.all().map(({ line }) => line))
            }}
          />
        </th>
        <th scope="col" class="w-state">State</th>
        <th scope="col" class="w-job">Job</th>
        <th scope="col" class="w-id only-wide">Id</th>
        <th scope="col" class="w-task only-wide">{isOneQueue ? 'Task' : 'Queue, task'}</th>
        <th scope="col" class="w-try only-wide">Attempt</th>
        <th scope="col" class="w-part only-wide">Partition</th>
        <th scope="col" class="w-age num">In state</th>
        <th scope="col" class="w-note only-wide">Note</th>
      </tr>
    </thead>
  )
}

function JobRow({ row, index, isCursor, isOneQueue, columns, pages }: {
  readonly row: Row | null
  readonly index: number
  readonly isCursor: boolean
  readonly isOneQueue: boolean
  readonly columns: number
  readonly pages: JobPages
}) {
  if (!row) return <tr aria-rowindex={index + 2}><td colSpan={columns} class="muted">…</td></tr>
  const { line, isGone } = row
  const { queue, id, task, label, partition } = line
  const since = sinceOf(line)
  const isOn = isChosen(line)
  const look = `${isCursor ? 'cur ' : ''}${isOn ? 'sel ' : ''}${isGone ? 'gone' : ''}`
  return (
    <tr class={look} aria-rowindex={index + 2}>
      <td>
        <input
          type="checkbox" class="check" aria-label={`Select ${id}`} checked={isOn}
          onChange={() => { toggle(line, pages.all().map((each) => each.line)) }}
        />
      </td>
      <td>
        {isGone ? <span class="muted">moved on</span> : <StateMark state={shownState(line)} />}
      </td>
      <td class="cut">
        <a class="strong" href={hrefOf('jobs', [queue, id])}><bdi>{label ?? task}</bdi></a>
      </td>
      <td class="only-wide"><span class="mono muted" title={id}><bdi>{id}</bdi></span></td>
      <td class="only-wide soft">
        {!isOneQueue && <><bdi>{queue}</bdi> <span class="muted">/</span> </>}<bdi>{task}</bdi>
      </td>
      <td class="only-wide soft">{attemptWords(line)}</td>
      <td class="only-wide soft"><bdi>{partition ?? ''}</bdi></td>
      <td class="num" title={since === null ? '' : fullTime(since)}>
        {since === null ? '–' : ago(second.value - since)}
      </td>
      <td class="only-wide"><Note line={line} /></td>
    </tr>
  )
}

function Note({ line }: { readonly line: Row['line'] }) {
  const { state, progress } = line
  if (state === 'running' && progress) {
    const { percent, message, current, total } = progress
    const figure = percent === null
      ? `${String(current)}${total === null ? '' : ` of ${String(total)}`}`
      : `${String(Math.round(percent))} %`
    return (
      <span class="muted">
        {percent !== null && <Mini percent={percent} />}
        {figure}{message !== null && <> <bdi>{message}</bdi></>}
      </span>
    )
  }
  const { text, isBad } = noteOf(line, second.value)
  return <span class={isBad ? 'bad' : 'muted'} title={text}><bdi>{text}</bdi></span>
}

function Mini({ percent }: { readonly percent: number }) {
  const width = `${String(Math.max(0, Math.min(100, percent)))}%`
  return <span class="mini" aria-hidden="true"><i style={{ width }} /></span>
}

export function KeysFoot() {
  return (
    <>
      <span class="only-wide"><kbd>j</kbd> <kbd>k</kbd> move</span>
      <span class="only-wide"><kbd>x</kbd> select</span>
      <span class="only-wide"><kbd>Enter</kbd> open</span>
    </>
  )
}
