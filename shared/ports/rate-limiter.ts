// A limit on how often something may be done, by each who does it.

export type Taken = { readonly allowed: true } | { readonly allowed: false; readonly retryAfterSeconds: number }

export interface RateLimiter {
  /**
   * Counts one attempt, unless it is refused.
   * @param key who does it; for a client, `clientKey` of shared/http/request-limit.ts
   */
  take(key: string): Taken

  /** An attempt that was counted is to count no more. */
  giveBack(key: string): void
}
