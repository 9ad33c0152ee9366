// A certificate and its key, as they lie in two files.

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'

/** Paths of PEM files. */
export interface CertificateFiles {
  /** The certificate, and behind it those between it and its authority. */
  readonly certFile: string
  readonly keyFile: string
}

/** A certificate and a key that belong together. */
export interface CertificatePair {
  /** PEM of the whole chain. */
  readonly cert: string
  /** PEM. */
  readonly key: string
  /** Of the certificate itself, in hex. */
  readonly serial: string
  /** Until when it is valid, in ISO form. */
  readonly validTo: string
}

/** Older versions are broken (RFC 8996). */
export const leastTlsVersion = 'TLSv1.2'

/** Reads both files. Rejects with an Error that names the setting at fault, where they cannot be used together. */
export async function readCertificatePair({ certFile, keyFile }: CertificateFiles): Promise<CertificatePair> {
  const [cert, key] = await Promise.all([read('http.tls_cert', certFile), read('http.tls_key', keyFile)])
  const leaf = parse(`http.tls_cert: ${certFile} holds no certificate in PEM`, () => new X509Certificate(cert))
  const privateKey = parse(`http.tls_key: ${keyFile} holds no key in PEM without a passphrase`, () =>
    createPrivateKey(key),
  )
  if (!leaf.checkPrivateKey(privateKey))
    throw new Error(`http.tls_key: ${keyFile} is not the key of the certificate in ${certFile}`)
  parse(`http.tls_cert: ${certFile} cannot be used`, () =>
    createSecureContext({ cert, key, minVersion: leastTlsVersion }),
  )
  return { cert, key, serial: leaf.serialNumber, validTo: leaf.validToDate.toISOString() }
}

async function read(setting: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new Error(`${setting}: ${file} cannot be read`, { cause: error })
  }
}

function parse<Value>(fault: string, make: () => Value): Value {
  try {
    return make()
  } catch (error) {
    throw new Error(`${fault}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}
