import { availableParallelism } from 'node:os'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** Milliseconds until a test counts as hanging; nothing asserts a time. Real clients and processes take theirs, and 100,000 requests. */
const [quick, slow, patient] = [20_000, 240_000, 900_000]

/** Files at once. Most of a test is waiting for a process, so that two get on well on two cores. */
const maxWorkers = Math.max(2, availableParallelism() - 1)

export default defineConfig({
  test: {
    maxWorkers,
    projects: [
      {
        plugins: [
          cloudflareTest({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: { bindings: { LOG_LEVEL: 'silent' } },
          }),
        ],
        test: { name: 'workerd', include: ['test/workerd/**/*.test.ts'], testTimeout: quick },
      },
      {
        test: {
          name: 'node',
          include: ['test/{unit,contract}/**/*.test.ts'],
          testTimeout: quick,
        },
      },
      {
        test: {
          name: 'processes',
          include: ['test/{build,e2e,fault,interop,pitfalls,clients,conformance}/**/*.test.ts'],
          testTimeout: slow,
          hookTimeout: slow,
        },
      },
      {
        test: {
          name: 'fuzz',
          include: ['test/fuzz/**/*.test.ts'],
          testTimeout: patient,
          hookTimeout: slow,
        },
      },
    ],
  },
})
