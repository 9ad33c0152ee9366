// The keys that tokens are signed with. They lie beside the bucket; only their public halves go into it.
//
// A new key signs at once. The one before is known as long as a token of it may be good, if it was not given up as lost.

import { exportJWK, generateKeyPair, importJWK } from 'jose'
import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import * as v from 'valibot'
import { isInUse, importPublicKey, type PublicKey, publicKeySchema } from '../../shared/auth/public-key.ts'
import { algorithm, type SigningKey, tokenSeconds, type VerifyingKeys } from '../../shared/auth/token.ts'
import type { Clock } from '../../shared/ports/clock.ts'
import { keyInFile, type KeyFormat } from './key-file.ts'
import { replaceFile } from './private-file.ts'

const privateKeySchema = v.object({ ...publicKeySchema.entries, d: v.string() })

const keysSchema = v.object({ current: privateKeySchema, former: v.array(publicKeySchema) })

type StoredKeys = v.InferOutput<typeof keysSchema>

const format: KeyFormat<StoredKeys> = {
  make: async () => ({ current: await makeKey(), former: [] }),
  write: (keys) => `${JSON.stringify(keys)}\n`,
  parse: (text) => v.parse(keysSchema, JSON.parse(text)),
}

export interface TokenKeys extends VerifyingKeys {
  /** The key to sign with. */
  current(): Promise<SigningKey>
  /** What edges need to know. */
  published(): Promise<readonly PublicKey[]>
}

/** Milliseconds between two looks at the file. */
const lookMs = 1000

/**
 * The keys in `file`; they are made where it is missing. Processes that start at once agree on them, and all see a change
 * within a second.
 * @throws Error where the file is damaged, naming it
 */
export async function openTokenKeys(file: string, clock: Clock): Promise<TokenKeys> {
  let loaded = await load(file)
  let lookedMs = clock.now()

  async function look(): Promise<typeof loaded> {
    if (clock.now() - lookedMs < lookMs) return loaded
    lookedMs = clock.now()
    // A file that is just not to be had, or damaged, ends nothing: what is known goes on.
    const changed = await stat(file).then(
      (found) => mark(found) !== loaded.mark,
      () => false,
    )
    if (changed) loaded = await load(file).catch(() => loaded)
    return loaded
  }

  return {
    current: async () => (await look()).signing,
    published: async () => (await look()).published.filter((key) => isInUse(key, clock.now())),
    async find(id) {
      const found = (await look()).verifying.get(id)
      return found !== undefined && isInUse(found.published, clock.now()) ? found.key : undefined
    },
  }
}

/**
 * Has a new key sign from now on. What the one before signed stays good until it ends by itself.
 * @param isLost the one before is in wrong hands: nothing that it signed is good any more
 * @param publish tells the edges; before there is anything that the new key signed
 * @returns the new key's id
 */
export async function rotateTokenKey(
  file: string,
  clock: Clock,
  isLost: boolean,
  publish: (keys: readonly PublicKey[]) => Promise<void>,
): Promise<string> {
  const { current, former } = await keyInFile(file, format)
  const until = clock.now() + 2 * tokenSeconds * 1000
  const still = isLost
    ? []
    : [{ ...v.parse(publicKeySchema, current), until }, ...former.filter((key) => isInUse(key, clock.now()))]
  const keys: StoredKeys = { current: await makeKey(), former: still }
  await publish(publicHalves(keys))
  await replaceFile(file, format.write(keys))
  return keys.current.kid
}

async function load(file: string) {
  const keys = await keyInFile(file, format)
  const { d, ...current } = keys.current
  const published = publicHalves(keys)
  const verifying = await Promise.all(
    published.map(async (each) => [each.kid, { published: each, key: await importPublicKey(each) }] as const),
  )
  const key = (await importJWK({ ...current, d }, algorithm)) as SigningKey['key']
  return {
    mark: mark(await stat(file)),
    signing: { id: current.kid, key },
    published,
    verifying: new Map(verifying),
  }
}

/** Of a version of the file. It is replaced whole. */
function mark({ ino, mtimeMs }: { readonly ino: number; readonly mtimeMs: number }): string {
  return `${ino} ${mtimeMs}`
}

function publicHalves({ current, former }: StoredKeys): readonly PublicKey[] {
  return [v.parse(publicKeySchema, current), ...former]
}

async function makeKey(): Promise<v.InferOutput<typeof privateKeySchema>> {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  return v.parse(privateKeySchema, { ...(await exportJWK(privateKey)), kid: randomBytes(9).toString('base64url') })
}
