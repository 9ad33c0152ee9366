// `mirrorball import`

import { defineCommand } from 'citty'
import { loadConfig } from '../config/load.ts'
import { importFile } from '../verbs/import-file.ts'
import { runVerb } from '../verbs/run-verb.ts'
import { optionArgs, verbWords } from './options.ts'

export default defineCommand({
  meta: {
    name: 'import',
    description:
      'Takes an image from a file into the bucket, and prints its digest and its CID. All of it is checked first; a file that is wrong changes nothing.',
  },
  args: {
    file: { type: 'positional', description: 'A CAR, or an OCI image layout as a folder or a tar.' },
    image: {
      type: 'positional',
      required: false,
      description:
        'Where it goes: name, or name:tag (default: latest). Without it the image has only its content names, like one that was fetched from IPFS.',
    },
    digest: { type: 'string', description: 'The image to take, from a layout of several.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { words, options } = verbWords(args, { most: 2, own: ['file', 'image', 'digest'] })
    const config = await loadConfig({ options, environment: process.env })
    const [file = '', target] = words
    const { digest, root } = await runVerb(config, { writes: true, makesBucket: true }, (run) =>
      importFile(run, file, { target, digest: args.digest }),
    )
    process.stdout.write(`${digest}\n${root === undefined ? '' : `${root}\n`}`)
  },
})
