import { readFile, rename, writeFile } from 'node:fs/promises'
import sharp from 'sharp'
import type { OutputInfo } from 'sharp'
import type { Job } from 'troupe'

export interface ResizeInput {
  readonly photo: string
  readonly file: string
  readonly width: number
  readonly output: string
  /** With a limit the best quality that stays below it is looked for, in about seven passes. */
  readonly maxBytes?: number
}

export interface Thumbnail {
  readonly output: string
  readonly bytes: number
}

interface Pixels {
  readonly data: Buffer
  readonly info: OutputInfo
}

/** The task: makes one thumbnail in three steps, and ends between them when it was cancelled. */
export async function resize(job: Job<ResizeInput>): Promise<Thumbnail> {
  const { file, width, output, maxBytes } = job.input

  job.progress({ current: 1, total: 3, message: 'load' })
  const picture = await readFile(file, { signal: job.signal })
  job.throwIfCancelled()

  job.progress({ current: 2, total: 3, message: 'resize' })
  const pixels = await sharp(picture).autoOrient().resize({ width })
    .raw().toBuffer({ resolveWithObject: true })
  job.throwIfCancelled()

  job.progress({ current: 3, total: 3, message: 'save' })
  const bytes = maxBytes === undefined
    ? await encode(pixels, { quality: 80 })
    : await encodeBelow(maxBytes, pixels, job)
  job.throwIfCancelled()
  await saveWhole(output, bytes)
  return { output, bytes: bytes.length }
}

function encode(
  { data, info }: Pixels, options: { readonly quality: number; readonly effort?: number },
): Promise<Buffer> {
  return sharp(data, { raw: info }).webp(options).toBuffer()
}

async function encodeBelow(
  maxBytes: number, pixels: Pixels, job: Job<ResizeInput>,
): Promise<Buffer> {
  let best: Buffer | null = null
  let low = 1
  let high = 100
  while (low <= high) {
    job.throwIfCancelled()
    const quality = Math.floor((low + high) / 2)
    job.progress({ current: 3, total: 3, message: `save, trying quality ${quality}` })
    const bytes = await encode(pixels, { quality, effort: 6 })
    if (bytes.length <= maxBytes) {
      best = bytes
      low = quality + 1
    } else {
      high = quality - 1
    }
  }
  if (!best) throw new Error(`no quality is below ${maxBytes} bytes`)
  return best
}

/** A kill leaves the old picture or the new one. The next attempt overwrites the partial file. */
export async function saveWhole(file: string, bytes: Buffer): Promise<void> {
  const partial = `${file}.part`
  await writeFile(partial, bytes, { flush: true })
  await rename(partial, file)
}
