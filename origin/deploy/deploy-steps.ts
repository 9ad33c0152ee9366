// The commands that bring a worker up, in their order. They are printed and not run: what they create is paid for.

import { bucketBinding, hasNamespace, kvBinding, routesOf, textOf, type WranglerFile } from './wrangler-file.ts'

export interface DeployStep {
  /** `done`: it is there already. `run`: it is not, or it does no harm to run it again. */
  readonly state: 'done' | 'run'
  readonly command: string
  /** What else there is to know or to do. */
  readonly note?: string
}

export interface StepFacts {
  readonly file: WranglerFile
  /** Path of the file, where wrangler would not find it by itself. */
  readonly configPath: string | undefined
  /** Whether the origin's key finds the bucket; undefined where nobody could tell. */
  readonly bucketThere: boolean | undefined
  /** Where the text of the key is that edges and origin share; undefined: it is a setting. */
  readonly edgeKeyFile: string | undefined
}

export function deploySteps({ file, configPath, bucketThere, edgeKeyFile }: StepFacts): readonly DeployStep[] {
  const wrangler = (words: string) =>
    `npx wrangler ${words}${configPath === undefined ? '' : ` --config ${configPath}`}`
  const steps: DeployStep[] = [{ state: 'run', command: 'npx wrangler login', note: 'once on each machine' }]
  const bucket = bucketBinding(file)?.bucket_name
  if (bucket !== undefined)
    steps.push({
      state: bucketThere === true ? 'done' : 'run',
      command: `npx wrangler r2 bucket create ${bucket}`,
      ...(bucketThere === undefined ? { note: 'unless it is there' } : {}),
    })
  if (kvBinding(file) !== undefined)
    steps.push({
      state: hasNamespace(file) ? 'done' : 'run',
      command: 'npx wrangler kv namespace create MANIFESTS',
      ...(hasNamespace(file) ? {} : { note: 'then put its id into the file' }),
    })
  if (textOf(file, 'BUCKET_URL') !== undefined)
    steps.push({
      state: 'run',
      command: wrangler('secret put BUCKET_SECRET_ACCESS_KEY'),
      note: 'the secret of BUCKET_ACCESS_KEY_ID, a key that may read and list; R2 makes one in its dashboard',
    })
  steps.push({
    state: 'run',
    command: wrangler('secret put EDGE_KEY') + (edgeKeyFile === undefined ? '' : ` < ${edgeKeyFile}`),
    ...(edgeKeyFile === undefined ? { note: 'the origin’s edge.key' } : {}),
  })
  const routes = routesOf(file).map(({ pattern }) => pattern)
  steps.push({
    state: 'run',
    command: wrangler('deploy'),
    note: routes.length === 0 ? 'tells the address' : `and routes ${routes.join(', ')} to it`,
  })
  const address = routes[0]?.replace(/\/.*$/, '') ?? '<the address>'
  steps.push({ state: 'run', command: `mirrorball doctor --edge-url https://${address}` })
  return steps
}
