// What each client says where the registry refuses it, in its own words. Of the answer to a HEAD there is the status alone.

import type { ImageClientName } from './image-clients.ts'

interface Refusals {
  readonly wrongPassword: RegExp
  /** It has shown nothing, or a token that is not good. */
  readonly unauthorized: RegExp
  readonly denied: RegExp
}

const ofContainersImage: Refusals = {
  wrongPassword: /invalid username\/password/,
  unauthorized: /unauthorized: authentication required/,
  denied: /denied: requested access to the resource is denied|403 \(Forbidden\)/,
}

export const says: Readonly<Record<ImageClientName, Refusals>> = {
  skopeo: ofContainersImage,
  podman: ofContainersImage,
  buildah: ofContainersImage,
  crane: {
    wrongPassword: /UNAUTHORIZED: incorrect username or password/,
    unauthorized: /UNAUTHORIZED: authentication required/,
    denied: /DENIED: requested access to the resource is denied|403 Forbidden/,
  },
  docker: {
    wrongPassword: /unauthorized: incorrect username or password/,
    unauthorized: /unauthorized: authentication required/,
    denied: /denied: requested access to the resource is denied/,
  },
  ctr: {
    wrongPassword: /failed to fetch oauth token: unexpected status: 401 Unauthorized/,
    unauthorized: /401 Unauthorized|authorization failed/,
    denied: /403 Forbidden/,
  },
  regctl: { wrongPassword: /unauthorized/, unauthorized: /unauthorized/, denied: /unauthorized \[http 403\]/ },
  oras: {
    wrongPassword: /unauthorized: incorrect username or password/,
    unauthorized: /unauthorized: authentication required/,
    denied: /denied: requested access to the resource is denied|403: Forbidden/,
  },
}
