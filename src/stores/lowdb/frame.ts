import { crc32 } from 'node:zlib'

/** Length and CRC32 of the JSON text, eight hexadecimal digits and a space each. */
const headerBytes = 18
const digits = /^[0-9a-f]{8}$/
const frameStart = /[0-9a-f]{8} [0-9a-f]{8} \{/g
/** The smallest piece that a disk may leave unwritten. */
const unwritten = Buffer.alloc(512)

/** One line of the journal: `LENGTH CRC JSON\n`, so that every changed or missing byte shows. */
export function encodeFrame(json: string): Buffer {
  const frame = Buffer.from(`00000000 00000000 ${json}\n`)
  const payload = frame.subarray(headerBytes, -1)
  frame.write(hex(payload.length), 0, 'latin1')
  frame.write(hex(crc32(payload)), 9, 'latin1')
  return frame
}

export interface Frame {
  readonly value: unknown
  /** Where the next one begins. */
  readonly end: number
}

/** The frame that begins at `offset`, or null when these bytes are none. */
export function readFrame(bytes: Buffer, offset: number): Frame | null {
  const start = offset + headerBytes
  if (start > bytes.length) return null
  const header = bytes.toString('latin1', offset, start)
  const length = Number.parseInt(header.slice(0, 8), 16)
  const end = start + length + 1
  if (!(end <= bytes.length) || bytes[end - 1] !== 0x0a) return null
  const payload = bytes.subarray(start, end - 1)
  if (header !== `${hex(length)} ${hex(crc32(payload))} `) return null
  try {
    return { value: JSON.parse(payload.toString()) as unknown, end }
  } catch {
    return null
  }
}

/**
 * Whether bytes that are no frame can be what an interrupted append leaves: the beginning of one
 * frame, or blocks that were never written. A complete line that is wrong is damage, and so is
 * anything in front of a frame that is right.
 */
export function isTorn(rest: Buffer): boolean {
  let end = rest.length
  while (end > 0 && rest[end - 1] === 0) end -= 1
  const written = rest.subarray(0, end)
  if (!written.includes(0) && !written.includes(0x0a)) return isBeginning(written)
  return rest.includes(unwritten) && !holdsFrame(rest)
}

function isBeginning(bytes: Buffer): boolean {
  const header = bytes.toString('latin1', 0, headerBytes)
  const plain = `${header}${'00000000 00000000 '.slice(header.length)}`
  const length = plain.slice(0, 8)
  if (!digits.test(length) || !digits.test(plain.slice(9, 17))) return false
  if (plain[8] !== ' ' || plain[17] !== ' ') return false
  return bytes.length < headerBytes || bytes.length <= headerBytes + Number.parseInt(length, 16)
}

function holdsFrame(bytes: Buffer): boolean {
  for (const { index } of bytes.toString('latin1').matchAll(frameStart)) {
    if (readFrame(bytes, index)) return true
  }
  return false
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0')
}
