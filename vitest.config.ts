import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { mutations } from './scripts/mutation-list.ts'
import { mutatePlugin } from './scripts/mutate-plugin.ts'

const root = fileURLToPath(new URL('.', import.meta.url))
const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  plugins: [mutatePlugin(root, mutations, process.env['TROUPE_MUTATION'])],
  resolve: {
    alias: [
      { find: /^troupe$/, replacement: source('src/index.ts') },
      { find: /^troupe\/stores\/lowdb$/, replacement: source('src/stores/lowdb/store.ts') },
      { find: /^troupe\/stores\/postgres$/, replacement: source('src/stores/postgres/store.ts') },
      { find: /^troupe\/gateway$/, replacement: source('src/gateway/gateway.ts') },
      { find: /^troupe\/client$/, replacement: source('src/client/connect.ts') },
      { find: /^troupe\/otel$/, replacement: source('src/otel/open-telemetry.ts') },
      { find: /^troupe\/testing$/, replacement: source('src/testing/testing.ts') },
      { find: /^troupe\/testing\/store$/, replacement: source('src/testing/store.ts') },
      {
        find: /^troupe\/testing\/arbitraries$/,
        replacement: source('src/testing/arbitraries.ts'),
      },
      { find: /^troupe\/machines$/, replacement: source('machines/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/postgres/global-setup.ts'], // finds a server, or starts one
    pool: 'forks', // real processes: locks, signals and unhandled rejections behave as for a user
    maxWorkers: '100%',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    dangerouslyIgnoreUnhandledErrors: false,
  },
})
