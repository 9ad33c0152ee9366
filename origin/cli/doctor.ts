// `mirrorball doctor`

import * as v from 'valibot'
import { defineCommand } from 'citty'
import { originUrl } from '../../shared/config/rules.ts'
import { loadConfig } from '../config/load.ts'
import { examine } from '../verbs/doctor.ts'
import { untilStopped } from '../verbs/until-stopped.ts'
import { optionArgs, verbWords } from './options.ts'
import { printOutcomes } from './outcomes.ts'

export default defineCommand({
  meta: {
    name: 'doctor',
    description:
      'Looks at a running deployment, and says of each fault what it means and how to mend it. Takes the settings of the origin, best on its machine; writes a few objects of its own to the bucket and removes them. Ends with 1 where there is a fault.',
  },
  args: {
    'edge-url': {
      type: 'string',
      description: 'Where clients reach the edge, e.g. https://registry.example.com. Default: edge.listen.',
    },
    'origin-url': {
      type: 'string',
      description: 'Where the origin is. Default: edge.origin_url, or origin.listen.',
    },
    json: { type: 'boolean', description: 'Prints JSON instead, when all is looked at.' },
    ...optionArgs,
  },
  async run({ args }) {
    const own = ['edge-url', 'edgeUrl', 'origin-url', 'originUrl', 'json']
    const { options } = verbWords(args, { most: 0, own })
    const urls = {
      edge: givenUrl('edge-url', args['edge-url']),
      origin: givenUrl('origin-url', args['origin-url']),
    }
    const config = await loadConfig({ options, environment: process.env })
    const say = (message: string) => process.stderr.write(`mirrorball: ${message}\n`)
    await untilStopped((wait) => printOutcomes(examine(config, urls, say, wait), args.json === true))
  },
})

/** @throws Error where it is no address */
function givenUrl(option: string, text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const result = v.safeParse(originUrl, text)
  if (result.success) return result.output
  throw new Error(`--${option}: ${result.issues[0].message}; got ${JSON.stringify(text)}`)
}
