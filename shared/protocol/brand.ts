// Nominal types for values that came from strangers and were parsed: a `Brand<string, 'Digest'>` is a string at run
// time, but only the parser that owns the name makes one.

declare const brand: unique symbol

/** `Base`, marked as parsed under `Name`. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }
