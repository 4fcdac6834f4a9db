import { useState } from 'preact/hooks'
import type { Json } from '../../../gateway/protocol.ts'
import { count } from '../../shell/words.ts'

const shownItems = 50
const shownText = 400
/** Levels that are open from the start. */
const openLevels = 2

/** A value as a tree; what is large is there when it is asked for. */
export function JsonTree({ value, label }: { readonly value: Json; readonly label: string }) {
  return (
    <div class="tree" role="group" aria-label={label}>
      {isBranch(value) ? <Branch value={value} level={0} /> : <Leaf value={value} />}
    </div>
  )
}

type Tree = readonly Json[] | { readonly [key: string]: Json }

function isBranch(value: Json): value is Tree {
  return typeof value === 'object' && value !== null
}

function Branch({ value, level }: { readonly value: Tree; readonly level: number }) {
  const [limit, setLimit] = useState(shownItems)
  const entries = Object.entries(value)
  const isList = Array.isArray(value)
  if (entries.length === 0) return <span class="k">{isList ? '[ ]' : '{ }'}</span>
  return (
    <ul>
      {entries.slice(0, limit).map(([key, item]) => (
        <li key={key}>
          {isBranch(item) && Object.keys(item).length > 0
            ? <Inner name={key} value={item} level={level} />
            : (
              <>
                <span class="k"><bdi>{key}</bdi></span> {' '}
                {isBranch(item) ? <Branch value={item} level={level} /> : <Leaf value={item} />}
              </>
            )}
        </li>
      ))}
      {entries.length > limit && (
        <li>
          <button class="btn ghost sm" type="button" onClick={() => { setLimit(limit * 4) }}>
            {count(entries.length - limit)} more
          </button>
        </li>
      )}
    </ul>
  )
}

function Inner({ name, value, level }: {
  readonly name: string
  readonly value: Tree
  readonly level: number
}) {
  const size = Object.keys(value).length
  const [isOpen, setOpen] = useState(level + 1 < openLevels && size <= shownItems)
  const what = Array.isArray(value) ? `[${count(size)}]` : `{${count(size)}}`
  return (
    <details open={isOpen} onToggle={(event) => { setOpen(event.currentTarget.open) }}>
      <summary><span class="k"><bdi>{name}</bdi></span> <span class="k">{what}</span></summary>
      {isOpen && <Branch value={value} level={level + 1} />}
    </details>
  )
}

function Leaf({ value }: { readonly value: string | number | boolean | null }) {
  const [isAll, setAll] = useState(false)
  if (typeof value !== 'string') return <span class="d">{String(value)}</span>
  if (value === '[redacted]') return <span class="hid">redacted</span>
  if (value.length <= shownText || isAll) return <span class="s"><bdi>{value}</bdi></span>
  return (
    <span class="s">
      <bdi>{value.slice(0, shownText).toWellFormed()}</bdi>
      {'… '}
      <button class="btn ghost sm" type="button" onClick={() => { setAll(true) }}>
        all {count(value.length)} characters
      </button>
    </span>
  )
}
