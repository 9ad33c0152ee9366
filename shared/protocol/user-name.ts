// Names of users. They stand in password files before a colon, and in logs.

const pattern = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}._@+$-]{0,127}$/u

export const userNameRule = 'must have 1 to 128 letters, digits and . _ @ + $ -, and begin with a letter, a digit or _'

export function isUserName(text: string): boolean {
  return pattern.test(text)
}
