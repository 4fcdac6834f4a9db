import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { UnrecoverableError } from 'troupe'
import type { Job } from 'troupe'
import { saveWhole } from './resize.ts'
import { isUploadName } from './uploads.ts'

/** What the page sends: the name that the upload got, never a path. */
export interface ThumbnailsInput {
  readonly upload: string
}

export interface Thumbnails {
  readonly thumbnails: readonly {
    readonly name: string
    readonly width: number
    readonly bytes: number
  }[]
}

const widths = [1600, 1024, 640, 320]

/** The task for uploaded pictures: all widths, the largest first, a step for each. */
export function thumbnailsIn(folders: { readonly uploads: string; readonly thumbnails: string }) {
  return async (job: Job<ThumbnailsInput>): Promise<Thumbnails> => {
    const { upload } = job.input
    if (!isUploadName(upload)) throw new UnrecoverableError('upload must be the name of an upload')
    job.progress({ current: 0, total: widths.length, message: 'load' })
    const picture = await readFile(join(folders.uploads, upload), { signal: job.signal })
    await mkdir(folders.thumbnails, { recursive: true })
    const made = []
    for (const [index, width] of widths.entries()) {
      job.throwIfCancelled()
      job.progress({ current: index, total: widths.length, message: `${width} px` })
      const { data, info } = await sharp(picture).autoOrient()
        .resize({ width, withoutEnlargement: true }).webp({ quality: 80 })
        .toBuffer({ resolveWithObject: true })
      const name = `${upload}-${width}.webp`
      await saveWhole(join(folders.thumbnails, name), data)
      made.push({ name, width: info.width, bytes: data.length })
    }
    return { thumbnails: made }
  }
}
