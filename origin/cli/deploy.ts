// `mirrorball deploy`

import { defineCommand } from 'citty'
import type { DeployStep } from '../deploy/deploy-steps.ts'
import { loadConfig } from '../config/load.ts'
import { lookAtWorker } from '../verbs/deploy.ts'
import { untilStopped } from '../verbs/until-stopped.ts'
import { optionArgs, verbWords } from './options.ts'
import { printOutcomes } from './outcomes.ts'

export default defineCommand({
  meta: {
    name: 'deploy',
    description:
      'With --check, says what of the worker would not work, by wrangler.toml and the settings of the origin, and prints the commands that deploy it. It deploys nothing itself.',
  },
  args: {
    check: { type: 'boolean', description: 'Looks, and changes nothing.' },
    wrangler: { type: 'string', description: 'The worker’s file. Default: wrangler.toml of this program.' },
    offline: { type: 'boolean', description: 'Does not ask whether the bucket is there.' },
    json: { type: 'boolean', description: 'Prints JSON instead: the checks and the commands.' },
    ...optionArgs,
  },
  async run({ args }) {
    const { options } = verbWords(args, { most: 0, own: ['check', 'wrangler', 'offline', 'json'] })
    if (args.check !== true)
      throw new Error('only looks: run mirrorball deploy --check, and then the commands that it prints')
    const config = await loadConfig({ options, environment: process.env })
    const looked = { path: args.wrangler, isOffline: args.offline === true }
    await untilStopped(async (wait) => {
      const { outcomes, steps } = await lookAtWorker(config, looked, wait)
      await printOutcomes(outcomes, args.json === true, { commands: steps })
      if (args.json !== true) process.stdout.write(`\nThese commands, in this order:\n${steps.map(stepLine).join('')}`)
    })
  },
})

function stepLine({ state, command, note }: DeployStep): string {
  return `  ${state.padEnd(6)}${command}${note === undefined ? '' : `   # ${note}`}\n`
}
