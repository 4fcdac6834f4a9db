import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import type { Plugin } from 'vite'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** A page from a file may load no module: one script, that runs when the page is there. */
const plainScript: Plugin = {
  name: 'plain-script',
  enforce: 'post',
  transformIndexHtml: (html) => html
    .replace('<script type="module" crossorigin', '<script defer')
    .replace('<link rel="stylesheet" crossorigin', '<link rel="stylesheet"'),
}

/** What the page does not draw by stays out of it: paths are made of points, labels need no box. */
const leanGeometry: Plugin = {
  name: 'lean-geometry',
  enforce: 'pre',
  transform: (code, id) => (id.endsWith('/geometry.json')
    ? JSON.stringify(JSON.parse(code, (key, value: unknown) =>
        (key === 'path' || key === 'box' ? undefined : value)))
    : null),
}

// Vite takes its configuration from a default export.
export default defineConfig({
  root: here('.'),
  base: './',
  plugins: [leanGeometry, plainScript],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: here('../../dist/dashboard'),
    emptyOutDir: true,
    target: 'es2023',
    assetsDir: 'assets',
    // A data: address in a style sheet would need a wider policy.
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { output: { format: 'iife' } },
  },
})
