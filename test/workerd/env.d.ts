// The bindings of wrangler.toml, as the tests have them.
import type * as worker from '../../worker/index.ts'

declare global {
  namespace Cloudflare {
    interface Env {
      readonly BUCKET: R2Bucket
      readonly MANIFESTS: KVNamespace
    }
    interface GlobalProps {
      mainModule: typeof worker
    }
  }
}
