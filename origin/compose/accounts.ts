// The accounts as the configuration has them.

import type { Accounts } from '../../shared/ports/accounts.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import type { Log } from '../../shared/ports/log.ts'
import { createAccounts } from '../accounts/accounts.ts'
import { PasswordFileError } from '../accounts/password-file.ts'
import type { Records } from '../accounts/records.ts'
import { rememberRecords } from '../accounts/remembered-records.ts'
import { accountsSecret } from '../config/addresses.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Config } from '../config/schema.ts'
import { systemClock } from './system-ports.ts'

/** Rejects with ConfigError where the file of users is at fault, and with an Error where a key is. */
export async function openAccounts(
  config: Config,
  records: Records,
  log: Log,
  clock: Clock = systemClock,
): Promise<Accounts> {
  try {
    return await createAccounts({
      htpasswdFile: config.access.htpasswd,
      // A read of the folder costs nothing, and so a revoked token ends at once.
      records: accountsSecret(config) === undefined ? records : rememberRecords(records, clock),
      clock,
      log,
    })
  } catch (error) {
    if (error instanceof PasswordFileError)
      throw new ConfigError(error.faults.map((fault) => `access.htpasswd: ${fault}`))
    throw error
  }
}
