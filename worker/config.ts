// What the worker is configured with: bindings and variables of wrangler.toml. All faults are reported at once.

import { readWorkerSettings, type WorkerSettings } from '../shared/config/worker-config.ts'

export type WorkerConfig = Omit<WorkerSettings, 'BUCKET' | 'MANIFESTS'> & {
  readonly BUCKET?: R2Bucket
  readonly MANIFESTS?: KVNamespace
}

/** @throws Error that names every variable at fault and what it must be, never a value */
export function parseWorkerConfig(env: object): WorkerConfig {
  const settings = readWorkerSettings(env)
  if ('faults' in settings) throw new Error(`the worker is not configured: ${settings.faults.join('; ')}`)
  // A binding is what the runtime makes of it: that it is an object is all that can be seen.
  return Object.freeze(settings) as WorkerConfig
}
