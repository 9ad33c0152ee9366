// Seals what lies in a bucket that others may read: without the secret nobody reads it, changes it, or puts it elsewhere.

/** Of the sealed form: a byte, 12 bytes of nonce, and what AES-256-GCM makes of the text, its tag included. */
const version = 1
const nonceBytes = 12
const headBytes = 1 + nonceBytes

export interface Seal {
  /** @param place where it will lie; only there can it be opened */
  close(place: string, text: string): Promise<Uint8Array>

  /** The text; undefined where it was not sealed with this secret, for this place, in a version that we know. */
  open(place: string, bytes: Uint8Array<ArrayBuffer>): Promise<string | undefined>
}

/** @param secret long and random: it is no password, and nothing here slows down who guesses */
export async function createSeal(secret: string): Promise<Seal> {
  const encoder = new TextEncoder()
  const material = await crypto.subtle.importKey('raw', encoder.encode(secret), 'HKDF', false, ['deriveKey'])
  const key = await crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encoder.encode('mirrorball accounts') },
    material,
    { name: 'AES-GCM', length: 256 },
    false,
    ['encrypt', 'decrypt'],
  )
  const algorithmOf = (nonce: Uint8Array<ArrayBuffer>, place: string) => ({
    name: 'AES-GCM',
    iv: nonce,
    additionalData: encoder.encode(`${version} ${place}`),
  })

  return {
    async close(place, text) {
      const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes))
      const sealed = await crypto.subtle.encrypt(algorithmOf(nonce, place), key, encoder.encode(text))
      const bytes = new Uint8Array(headBytes + sealed.byteLength)
      bytes[0] = version
      bytes.set(nonce, 1)
      bytes.set(new Uint8Array(sealed), headBytes)
      return bytes
    },

    async open(place, bytes) {
      if (bytes[0] !== version) return undefined
      const algorithm = algorithmOf(bytes.subarray(1, headBytes), place)
      try {
        return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, key, bytes.subarray(headBytes)))
      } catch {
        return undefined
      }
    },
  }
}
