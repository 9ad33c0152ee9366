// cosign with a pair of keys and without a transparency log: it asks nobody but the registry.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../stack.ts'
import { runClient } from './programs.ts'
import { createCredentialFile, type SignIn } from './sign-in.ts'

/** Where cosign puts a signature and looks for it. */
export const signatureForms = {
  'a bundle among the referrers': { sign: [], verify: [] },
  'a signature among the referrers': {
    sign: ['--new-bundle-format=false', '--registry-referrers-mode=oci-1-1'],
    verify: ['--new-bundle-format=false', '--experimental-oci11'],
  },
  'a signature under a tag': { sign: ['--new-bundle-format=false'], verify: ['--new-bundle-format=false'] },
} as const

export type SignatureForm = keyof typeof signatureForms

/** References are HOST:PORT/NAME@DIGEST. */
export interface Cosign extends SignIn {
  sign(reference: string, form: SignatureForm): Promise<void>
  /** Rejects where the image has no signature by this key. @param key ours, or one that signed nothing */
  verify(reference: string, form: SignatureForm, key?: 'ours' | 'other'): Promise<void>
  attest(reference: string, predicate: object): Promise<void>
  /** @returns the predicates that our key signed */
  verifyAttestation(reference: string): Promise<readonly unknown[]>
  /** What there is about an image, as text. */
  tree(reference: string): Promise<string>
  readonly stop: () => Promise<void>
}

export async function startCosign(): Promise<Cosign> {
  const folder = await temporaryFolder()
  const credentials = await createCredentialFile(folder.path)
  const at = (name: string) => join(folder.path, name)
  const cosign = (...args: readonly string[]) =>
    runClient('cosign', args, {
      HOME: folder.path,
      COSIGN_PASSWORD: '',
      COSIGN_EXPERIMENTAL: '1',
      ...credentials.environment,
    })
  for (const key of ['ours', 'other']) await cosign('generate-key-pair', `--output-key-prefix=${at(key)}`)
  // Without one of its own, cosign asks for that of the public log.
  await cosign('trusted-root', 'create', `--out=${at('root.json')}`)

  const signing = [
    '--yes',
    '--allow-http-registry',
    `--key=${at('ours.key')}`,
    '--tlog-upload=false',
    '--use-signing-config=false',
  ]
  const verifying = (key: 'ours' | 'other') => [
    '--allow-http-registry',
    `--key=${at(`${key}.pub`)}`,
    '--insecure-ignore-tlog=true',
    `--trusted-root=${at('root.json')}`,
  ]
  return {
    ...credentials,
    async login(host, user, password) {
      await cosign('login', host, `--username=${user}`, `--password=${password}`)
    },
    async sign(reference, form) {
      await cosign('sign', ...signing, ...signatureForms[form].sign, reference)
    },
    async verify(reference, form, key = 'ours') {
      await cosign('verify', ...verifying(key), ...signatureForms[form].verify, reference)
    },
    async attest(reference, predicate) {
      await writeFile(at('predicate.json'), JSON.stringify(predicate))
      await cosign('attest', ...signing, '--type=custom', `--predicate=${at('predicate.json')}`, reference)
    },
    async verifyAttestation(reference) {
      const lines = await cosign('verify-attestation', ...verifying('ours'), '--type=custom', reference)
      return lines
        .trim()
        .split('\n')
        .map((line) => {
          const { payload } = JSON.parse(line) as { readonly payload: string }
          const statement = JSON.parse(Buffer.from(payload, 'base64').toString()) as {
            readonly predicate: { readonly Data: string }
          }
          return JSON.parse(statement.predicate.Data) as unknown
        })
    },
    tree: (reference) => cosign('tree', '--allow-http-registry', '--experimental-oci11', reference),
    stop: folder.remove,
  }
}
