// Chance, as a port, for the same reason as the clock.

export interface Random {
  /** A new identifier that nobody can guess: a UUID of version 4. */
  uuid(): string
}
