import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'

/** Milliseconds until a test counts as hanging; nothing asserts a time. Real clients and processes take theirs, and 100,000 requests. */
const [quick, slow, patient] = [20_000, 240_000, 900_000]

export default defineConfig({
  test: {
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
