import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import sharp from 'sharp'
import { saveWhole } from './resize.ts'

/** An upload that is refused, and the status that says so. */
export class UploadError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const mostBytes = 20 * 1024 * 1024
const mostPixels = 100_000_000
/** The oldest go when there are more. */
const mostUploads = 200
const formats: ReadonlySet<string> = new Set(['jpeg', 'png', 'webp', 'heif', 'tiff', 'gif'])

/** Names are made here; one that is not may lead anywhere on the disk. */
export function isUploadName(name: unknown): name is string {
  return typeof name === 'string' && /^[a-f\d]{32}$/.test(name)
}

/** Stores the picture in the body of a request, and answers under which name. */
export async function saveUpload(request: IncomingMessage, folder: string): Promise<string> {
  const picture = await readBounded(request)
  await checkPicture(picture)
  await mkdir(folder, { recursive: true })
  const name = randomBytes(16).toString('hex')
  await saveWhole(join(folder, name), picture)
  await removeOldest(folder)
  return name
}

async function readBounded(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length > mostBytes) throw new UploadError(413, 'the picture is larger than 20 MiB')
    parts.push(part)
  }
  return Buffer.concat(parts)
}

async function checkPicture(picture: Buffer): Promise<void> {
  const { format, width, height } = await sharp(picture).metadata().catch(() => {
    throw new UploadError(415, 'this is no picture')
  })
  if (!formats.has(format)) throw new UploadError(415, `${format} is no format of photographs`)
  if (width * height > mostPixels) throw new UploadError(413, 'the picture has too many pixels')
}

async function removeOldest(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter(isUploadName)
  if (names.length <= mostUploads) return
  const dated = await Promise.all(names.map(async (name) =>
    ({ name, at: (await stat(join(folder, name))).mtimeMs })))
  dated.sort((a, b) => a.at - b.at)
  const old = dated.slice(0, names.length - mostUploads)
  await Promise.all(old.map(({ name }) => rm(join(folder, name), { force: true })))
}
