// Who may do what: the rules of shared/auth/access.ts, and where the users are.

import * as v from 'valibot'
import { accessRulesSchema, defaultService } from '../../../shared/auth/access.ts'
import { flag, repositoryPatterns, tagPatterns } from '../../../shared/config/rules.ts'
import { path } from '../rules.ts'
import { setting } from '../setting.ts'

export const accessSection = v.strictObject({
  anonymous: setting(accessRulesSchema.entries.anonymous, {
    example: 'pull',
    description:
      'What everyone may do: `none`, `pull`, or `push` as well. Without users, and while origin and edge listen on loopback, `push` unless set; else it must be set.',
  }),
  users: setting(accessRulesSchema.entries.users, {
    example: 'push',
    description:
      'What everyone who signed in may do: `none`, `pull` or `push`. With `access.htpasswd` it is `push` unless set.',
  }),
  rules: setting(accessRulesSchema.entries.rules, {
    example: '[{"repositories":["team/**"],"users":["@team"],"rights":["push"]}]',
    description:
      'What else some users may do, or everyone, and where: a list in the file, JSON elsewhere. Each rule has `repositories` (patterns), `rights` (`pull`, `push`, `delete`, `fetch`), and `users` (names, or `@` and a group’s name) or `anonymous: true`.',
  }),
  groups: setting(accessRulesSchema.entries.groups, {
    example: '[{"name":"team","users":["alice","bob"]}]',
    description: 'Groups of users for the rules: a list in the file, JSON elsewhere.',
  }),
  service: setting(v.unwrap(accessRulesSchema.entries.service), {
    default: defaultService,
    description: 'Name of the registry in tokens and challenges.',
  }),
  fetch: setting(flag, {
    example: true,
    description:
      'Whether everyone may pull images of IPFS by their CIDs that were never seen here. Without users, and while origin and edge listen on loopback, `true` unless set; else `false`.',
  }),
  delete: setting(flag, {
    example: true,
    description:
      'Whether who may push may delete too: tags, manifests and blobs. Without users, and while origin and edge listen on loopback, `true` unless set; else `false`.',
  }),
  read_only: setting(flag, {
    default: false,
    description:
      'Whether pushes and deletes are refused to everyone. The origin then writes nothing to the bucket’s folder.',
  }),
  private: setting(repositoryPatterns, {
    example: 'team/**,secret',
    description:
      'Repositories that are closed to everyone, and stay off IPFS: patterns with commas between them, `*` for a part of one component, `**` for all that follows.',
  }),
  htpasswd: setting(path, {
    example: '/etc/mirrorball/htpasswd',
    description:
      'File of users: a line each with name, colon and bcrypt or argon2id hash of the password (`mirrorball user hash` makes one). It is read again when it changes.',
  }),
  immutable_tags: setting(tagPatterns, {
    example: 'team/**:v*,app:1.*',
    description:
      'Tags that nobody may move or delete once they are there: `NAME:TAG` with commas between them, where NAME is a pattern as of `access.private`, and `*` in TAG stands for any part.',
  }),
})
