// What the processes log.

import * as v from 'valibot'
import { logLevels } from '../../../shared/ports/log.ts'
import { setting } from '../setting.ts'

export const logSection = v.strictObject({
  level: setting(v.picklist(logLevels, `must be one of ${logLevels.join(', ')}`), {
    default: 'info',
    description: 'Least level that is logged; requests are `info`.',
  }),
})
