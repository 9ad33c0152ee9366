// `mirrorball export`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { exportImage } from '../verbs/export-image.ts'
import { runVerb } from '../verbs/run-verb.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'export',
    description:
      'Writes an image of the bucket into a file or folder, and prints its CID. `import` takes it in elsewhere.',
  },
  args: {
    image: { type: 'positional', description: 'name, name:tag (default: latest), name@digest, or a content name.' },
    file: {
      type: 'positional',
      description:
        'Ending in .car: all blocks of the image on IPFS. In .tar: an OCI image layout in one file. Else: an OCI image layout in a folder, which must be empty or not exist.',
    },
    force: { type: 'boolean', description: 'Replaces a file that is there.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { words, options } = verbWords(args, { most: 2, own: ['image', 'file', 'force'] })
    const config = await loadConfig({ options, environment: process.env })
    const [image = '', file = ''] = words
    const root = await runVerb(config, { writes: false }, (run) =>
      exportImage(run, image, file, { force: args.force === true }),
    )
    process.stdout.write(`${root}\n`)
  },
})
