import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, test } from 'vitest'

test('a page loads less than 10 kB, and neither RxJS nor anything of Node', async () => {
  const { outputFiles, metafile } = await build({
    entryPoints: [new URL('../../src/client/connect.ts', import.meta.url).pathname],
    bundle: true, minify: true, format: 'esm', target: 'es2022', platform: 'browser',
    write: false, metafile: true,
  })
  const [file] = outputFiles
  expect(gzipSync(file?.contents ?? '', { level: 9 }).length).toBeLessThan(10_000)
  const rooms = Object.keys(metafile.inputs).filter((path) => !path.startsWith('src/client/'))
  expect(rooms.sort()).toEqual([
    'machines/vocabulary.ts', 'src/duration.ts', 'src/errors.ts', 'src/gateway/protocol.ts',
    'src/records/transition.ts',
  ])
})
