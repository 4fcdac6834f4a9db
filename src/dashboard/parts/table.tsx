import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useShortcuts } from '../shell/keyboard.ts'

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => ComponentChildren
  /** A class of the style sheet that sets its width. */
  readonly width?: string
  readonly isNumber?: boolean
}

/** `j k` move a cursor over rows, Enter opens; answers which row the cursor is on, or -1. */
export function useRowKeys(title: string, length: number, open: (index: number) => void): number {
  const [cursor, setCursor] = useState(-1)
  const at = Math.min(cursor, length - 1)
  useShortcuts(title, [
    { keys: 'j', does: 'next', act: () => { setCursor(Math.min(at + 1, length - 1)) } },
    { keys: 'k', does: 'one back', act: () => { setCursor(Math.max(at - 1, 0)) } },
    { keys: 'Enter', does: 'open', act: () => { if (at >= 0) open(at) } },
  ])
  return at
}

/** Rows of equal height; a cursor moves over them with `j k`. For some hundred rows at most. */
export function Table<Row>({ label, columns, rows, keyOf, onOpen }: {
  readonly label: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  readonly onOpen?: (row: Row) => void
}) {
  const cursor = useRowKeys(label, rows.length, (index) => {
    const row = rows[index]
    if (row !== undefined) onOpen?.(row)
  })
  useEffect(() => {
    document.querySelector('tr.cur')?.scrollIntoView({ block: 'nearest' })
  }, [cursor])
  return (
    <table>
      <caption class="sr">{label}</caption>
      <thead>
        <tr>{columns.map(({ title, width = '', isNumber }) => (
          <th key={title} scope="col" class={`${width}${isNumber ? ' num' : ''}`}>{title}</th>
        ))}</tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr key={keyOf(row)} class={index === cursor ? 'cur' : ''}>
            {columns.map(({ title, cell, isNumber }) => (
              <td key={title} class={isNumber ? 'num' : ''}>{cell(row)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
