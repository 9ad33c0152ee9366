// Who counts requests, as a port: shared/ knows no metrics, and a worker has none.

export interface RequestObserver {
  /** A request came. Returns when, on the observer's own clock, for `answered`. */
  began(): number

  /**
   * Its answer begins. Called for every request that is logged, in the middle of the fastest path: plain values only.
   * @param method as it was sent, so from a stranger; what a stranger sent never becomes a label's value
   */
  answered(beganAt: number, route: string, method: string, status: number, tier: string): void
}
