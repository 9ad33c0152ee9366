// The bindings of wrangler.toml, as the tests have them.
declare namespace Cloudflare {
  interface Env {
    readonly BUCKET: R2Bucket
    readonly MANIFESTS: KVNamespace
  }
  interface GlobalProps {
    mainModule: typeof import('../../worker/index.ts')
  }
}
