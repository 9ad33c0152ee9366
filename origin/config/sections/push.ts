// What may be pushed, under which names, and for how long an upload waits.

import * as v from 'valibot'
import { flag, wholeNumber } from '../../../shared/config/rules.ts'
import { pushedNames } from '../../../shared/registry/publish-image.ts'
import { setting } from '../setting.ts'

export const pushSection = v.strictObject({
  allow_sparse: setting(flag, {
    default: false,
    description: 'Whether a manifest may name config and layers that its repository does not have.',
  }),
  names: setting(v.picklist(pushedNames, `must be ${pushedNames.join(' or ')}`), {
    default: 'any',
    description:
      'Which names a pushed image has: `any`, the one it was pushed under and those of its content; or `content-only`, its CID and its digest alone: the pushed name disappears, as with Forta’s Disco. Repositories in `access.private` keep theirs.',
  }),
  upload_expiry_hours: setting(wholeNumber(1, 8760), {
    default: 24,
    description: 'Hours after which an upload that nobody went on with ends, and its bytes are removed.',
  }),
})
