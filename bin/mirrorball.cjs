#!/usr/bin/env node
// The `mirrorball` command: the CLI of origin/cli, on the right Node.
'use strict'
process.argv.splice(2, 0, 'origin/cli/main.ts')
require('./launch.cjs')
