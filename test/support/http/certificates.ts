// Certificates for tests, made by openssl as an operator would: an authority, and what it signs for this machine.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const openssl = (...args: readonly string[]) => promisify(execFile)('openssl', [...args])

export interface Authority {
  /** PEM file of its own certificate, for clients to trust. */
  readonly caFile: string
  /** Makes `cert.pem` and `key.pem` in a folder of their own, for names such as `DNS:localhost`. Good for a day, or `days`. */
  issue(names?: string, days?: number): Promise<IssuedCertificate>
}

export interface IssuedCertificate {
  readonly certFile: string
  readonly keyFile: string
  /** PEM. */
  readonly cert: string
}

/** @param folder for its files */
export async function createAuthority(folder: string): Promise<Authority> {
  const [caFile, caKey] = [join(folder, 'ca.pem'), join(folder, 'ca-key.pem')]
  const authority = ['-subj', '/CN=Test authority', '-addext', 'keyUsage=critical,keyCertSign']
  await openssl('req', '-x509', ...newKey(caKey), '-out', caFile, '-days', '90', ...authority)
  return {
    caFile,
    async issue(names = 'DNS:localhost', days = 1) {
      const issued = await mkdtemp(join(folder, 'certificate-'))
      const [certFile, keyFile] = [join(issued, 'cert.pem'), join(issued, 'key.pem')]
      const [request, extensions] = [join(issued, 'request.pem'), join(issued, 'extensions')]
      await writeFile(extensions, `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`)
      await openssl('req', ...newKey(keyFile), '-out', request, '-subj', '/CN=registry')
      const signing = ['-CA', caFile, '-CAkey', caKey, '-days', String(days), '-extfile', extensions]
      await openssl('x509', '-req', '-in', request, ...signing, '-out', certFile)
      return { certFile, keyFile, cert: await readFile(certFile, 'utf8') }
    },
  }
}

function newKey(file: string): readonly string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file]
}
