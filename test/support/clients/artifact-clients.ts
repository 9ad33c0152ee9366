// oras and regctl behind one face for what is no image: files as an artifact, and artifacts that refer to a manifest.

import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { filesIn } from '../registry-content.ts'
import { temporaryFolder } from '../stack.ts'
import { regctlPlainHttp } from './layout-clients.ts'
import { runClient } from './programs.ts'
import { createCredentialFile, type SignIn } from './sign-in.ts'

interface Artifact {
  readonly type: string
  readonly folder: string
  /** Names of files in the folder. */
  readonly files: readonly string[]
}

/** References are HOST:PORT/NAME:TAG. */
export interface ArtifactClient {
  push(artifact: Artifact, reference: string): Promise<void>
  /** @returns the files and the hash of each, of an artifact that anyone pushed */
  pull(reference: string): Promise<Readonly<Record<string, string>>>
  /** Pushes an artifact that refers to a manifest. @returns its digest */
  attach(artifact: Artifact, subject: string): Promise<string>
  /** @returns digests of what refers to a manifest, sorted; with a type only those that have it */
  referrers(subject: string, type?: string): Promise<readonly string[]>
  /** Pulls an image with all that refers to it. @returns digests of all that arrived, by the files' hashes */
  pullWithReferrers(subject: string): Promise<readonly string[]>
  readonly stop: () => Promise<void>
}

interface OrasArtifacts extends ArtifactClient, SignIn {
  readonly attachByTag: ArtifactClient['attach']
}

export async function startOrasArtifacts(): Promise<OrasArtifacts> {
  const folder = await temporaryFolder()
  const credentials = await createCredentialFile(folder.path)
  const oras = (args: readonly string[], workingFolder?: string) =>
    runClient('oras', args, { HOME: folder.path, ...credentials.environment }, workingFolder)
  const attach = async ({ type, ...artifact }: Artifact, subject: string, ...options: readonly string[]) => {
    const format = '--format=go-template={{.digest}}'
    const args = ['attach', '--plain-http', `--artifact-type=${type}`, format, ...options, subject, ...artifact.files]
    return (await oras(args, artifact.folder)).trim()
  }
  return {
    ...credentials,
    async login(host, user, password) {
      await oras(['login', '--plain-http', `--username=${user}`, `--password=${password}`, host])
    },
    async push({ type, files, ...artifact }, reference) {
      await oras(['push', '--plain-http', `--artifact-type=${type}`, reference, ...files], artifact.folder)
    },
    async pull(reference) {
      const output = await mkdtemp(join(folder.path, 'pulled-'))
      await oras(['pull', '--plain-http', '--output', output, reference])
      return filesIn(output)
    },
    attach,
    attachByTag: (artifact, subject) => attach(artifact, subject, '--distribution-spec=v1.1-referrers-tag'),
    async referrers(subject, type = '') {
      const format = '--format=go-template={{range .referrers}}{{println .digest}}{{end}}'
      return sortedLines(await oras(['discover', '--plain-http', `--artifact-type=${type}`, format, subject]))
    },
    async pullWithReferrers(subject) {
      const layout = await mkdtemp(join(folder.path, 'pulled-'))
      await oras(['copy', '--recursive', '--from-plain-http', '--to-oci-layout', subject, `${layout}:latest`])
      return digestsIn(layout)
    },
    stop: folder.remove,
  }
}

export async function startRegctlArtifacts(): Promise<ArtifactClient> {
  const folder = await temporaryFolder()
  const regctl = (reference: string, args: readonly string[], workingFolder?: string) =>
    runClient('regctl', [...args, ...regctlPlainHttp(reference)], { HOME: folder.path }, workingFolder)
  const put = ({ type, files }: Artifact) => [
    'artifact',
    'put',
    `--artifact-type=${type}`,
    '--file-title',
    ...files.flatMap((file) => [`--file=${file}`, '--file-media-type=application/octet-stream']),
  ]
  return {
    async push(artifact, reference) {
      await regctl(reference, [...put(artifact), reference], artifact.folder)
    },
    async pull(reference) {
      const output = await mkdtemp(join(folder.path, 'pulled-'))
      await regctl(reference, ['artifact', 'get', `--output=${output}`, reference])
      return filesIn(output)
    },
    async attach(artifact, subject) {
      const format = '--format={{.Manifest.GetDescriptor.Digest}}'
      return (await regctl(subject, [...put(artifact), `--subject=${subject}`, format], artifact.folder)).trim()
    },
    async referrers(subject, type = '') {
      const format = '--format={{range .Descriptors}}{{println .Digest}}{{end}}'
      return sortedLines(await regctl(subject, ['artifact', 'list', `--filter-artifact-type=${type}`, format, subject]))
    },
    async pullWithReferrers(subject) {
      const layout = await mkdtemp(join(folder.path, 'pulled-'))
      await regctl(subject, ['image', 'copy', '--referrers', subject, `ocidir://${layout}:latest`])
      return digestsIn(layout)
    },
    stop: folder.remove,
  }
}

function sortedLines(text: string): readonly string[] {
  return text.trim().split(/\s+/).sort()
}

/** Rejects where a blob of the layout is not what its name says. */
async function digestsIn(layout: string): Promise<readonly string[]> {
  const blobs = Object.entries(await filesIn(join(layout, 'blobs', 'sha256')))
  const wrong = blobs.filter(([name, hash]) => name !== hash)
  if (wrong.length > 0) throw new Error(`${layout} has wrong blobs: ${wrong.join(' ')}`)
  return blobs.map(([name]) => `sha256:${name}`)
}
