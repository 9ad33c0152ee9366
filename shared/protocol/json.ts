// JSON that was stored or sent by somebody else, and may be damaged.

/** The value; undefined, which JSON cannot say, where the bytes are no JSON. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined
  }
}
