import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { AddOptions } from 'troupe'
import type { Photo } from './photos.ts'
import type { ResizeInput } from './resize.ts'

/** A job to add. */
export type Order = AddOptions & { readonly task: 'resize'; readonly input: ResizeInput }

const widths = [160, 320, 640, 1024]
const banner = { width: 2560, maxBytes: 150_000 }

/** What the shop needs: each photo in four widths, and the first one as a banner, soon. */
export function ordersFor(photos: readonly Photo[], output: string): Order[] {
  const order = ({ name, file }: Photo, size: { width: number; maxBytes?: number }): Order => ({
    task: 'resize',
    id: idOf(file, size.width),
    input: { photo: name, file, output: join(output, `${name}-${size.width}.webp`), ...size },
  })
  const banners = photos.slice(0, 1).map((photo) => ({ ...order(photo, banner), priority: 1 }))
  const thumbnails = photos.flatMap((photo) => widths.map((width) => order(photo, { width })))
  return [...banners, ...thumbnails]
}

/** The same in each process, so that a picture that is ordered already is not added again. */
function idOf(file: string, width: number): string {
  return `${createHash('sha256').update(file).digest('hex').slice(0, 12)}@${width}`
}
