// Uploads that go past the edge: begun there, and gone on with at the origin's public host, by URLs that carry a
// capability. The platforms that edges run on limit bodies, and bytes need not cross one more machine.

import { type AccessRules, rightsIn } from '../auth/access.ts'
import { authorize } from '../auth/authorize.ts'
import type { Authentication } from '../auth/authentication.ts'
import type { Caller } from '../auth/caller.ts'
import type { UploadCapabilities, UploadGrant } from '../auth/upload-capability.ts'
import type { ClientInfo } from '../ports/client-info.ts'
import { OciError } from '../protocol/errors.ts'
import type { RouteOf } from './routes.ts'

/** What the origin needs to send clients to its public host. */
export interface PublicUploads {
  /** Of the origin, as clients everywhere reach it; without a path. */
  readonly url: string
  readonly capabilities: UploadCapabilities
}

/** The header by which an edge says that the client it asks for may be sent to the origin's public host. */
export const uploadHostHeader = 'Mirrorball-Upload-Host'

/** The value of it. */
export const publicHost = 'public'

/** The parameter of an upload's URL that is its capability. */
export const capabilityParameter = 'capability'

/**
 * Who goes on with an upload by the capability in its URL. What else the request says of who it is does not matter:
 * clients send what they have for the host where they began.
 * @throws OciError DENIED where the capability is not good, or its owner lost the right to push; as `authorize`
 */
export async function uploadCaller(
  deps: {
    readonly access: AccessRules
    readonly auth: Authentication | undefined
    readonly capabilities: UploadCapabilities
  },
  { name, id }: RouteOf<'upload'>,
  capability: string,
  client: ClientInfo,
): Promise<Caller> {
  const { access, auth, capabilities } = deps
  const grant = await capabilities.verify(capability, { name, id })
  if (grant === undefined)
    throw new OciError('DENIED', 'the URL of this upload has expired, or is none of ours: begin the upload again')
  const { user } = grant
  if (!rightsIn(access, user, name).has('push'))
    throw new OciError('DENIED', `the right to push to ${name} was taken away since this upload began`)
  const caller: Caller = { user, access: [{ name, granted: ['pull', 'push'], refused: [] }], catalog: undefined }
  return authorize(access, auth, client, caller, { kind: 'repository', name, right: 'push' })
}

/** Where a client goes on with an upload that it began by an edge. */
export async function publicUploadUrl({ url, capabilities }: PublicUploads, grant: UploadGrant): Promise<string> {
  return url + uploadPath(grant, await capabilities.issue(grant))
}

/**
 * The path of an upload, and its capability where it has one. Relative, so that it is right behind every proxy, name and
 * port (RFC 9110 section 10.2.2 allows it).
 */
export function uploadPath({ name, id }: Omit<UploadGrant, 'user'>, capability: string | undefined): string {
  const query = capability === undefined ? '' : `?${capabilityParameter}=${capability}`
  return `/v2/${name}/blobs/uploads/${id}${query}`
}
