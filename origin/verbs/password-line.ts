// A line for the file of users, of a password that a person types or a program sends.

import { hashPassword, isPassword } from '../accounts/password-hash.ts'
import { isMeantAsToken } from '../accounts/token-text.ts'
import { isUserName, userNameRule } from '../../shared/protocol/user-name.ts'

const leastCharacters = 8

/** @throws Error that says what is wrong with the name; before a password is asked for */
export function checkedUserName(user: string | undefined): string {
  if (user === undefined) throw new Error('--user: must be set: whose password it is, e.g. --user alice')
  if (!isUserName(user)) throw new Error(`--user: ${userNameRule}`)
  return user
}

/** `user:hash` and a newline. Rejects with an Error that does not show the password. */
export async function passwordLine(user: string, password: string): Promise<string> {
  if (Array.from(password).length < leastCharacters)
    throw new Error(`the password must have at least ${leastCharacters} characters`)
  if (!isPassword(password)) throw new Error('the password must have at most 1024 bytes, and no NUL')
  if (isMeantAsToken(password)) throw new Error('the password must not begin like a personal access token')
  return `${user}:${await hashPassword(password)}\n`
}
