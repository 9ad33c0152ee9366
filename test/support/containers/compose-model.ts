// deploy/compose.yaml as compose-spec, the reference implementation of the Compose Specification, reads it, and what its
// services are to podman. Not the network: services share one, in which each has its ports, and its name is loopback.

import { join } from 'node:path'
import { runClient } from '../clients/programs.ts'
import { projectFolder } from '../stack.ts'

export interface Service {
  readonly image: string
  readonly command?: readonly string[]
  readonly entrypoint?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly secrets?: readonly { readonly source: string; readonly target: string }[]
  readonly volumes?: readonly { readonly source: string; readonly target: string }[]
  readonly ports?: readonly { readonly host_ip?: string; readonly target: number }[]
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly read_only?: boolean
  readonly cap_drop?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
}

export interface ComposeModel {
  readonly services: Readonly<Record<string, Service>>
}

/** Rejects where the file breaks the specification. */
export async function readCompose(): Promise<ComposeModel> {
  const folder = join(projectFolder, 'deploy')
  const printed = await runClient('compose-spec', ['--format', 'json', 'compose.yaml'], {}, folder)
  return JSON.parse(printed) as ComposeModel
}

/** The services, each after those that it waits for. */
export function inOrder({ services }: ComposeModel): readonly (readonly [string, Service])[] {
  const ordered = new Map<string, Service>()
  const add = (name: string) => {
    const service = services[name]
    if (service === undefined || ordered.has(name)) return
    for (const before of Object.keys(service.depends_on ?? {})) add(before)
    ordered.set(name, service)
  }
  for (const name of Object.keys(services)) add(name)
  return [...ordered]
}

/** Options and arguments of `podman run`. @param image instead of the service's own @param secretFile where the file of a secret is */
export function podmanArguments(
  service: Service,
  image: string,
  secretFile: (name: string) => string,
): readonly string[] {
  const [program, ...first] = service.entrypoint ?? []
  return [
    ...(service.read_only ? ['--read-only'] : []),
    ...(service.cap_drop ?? []).map((each) => `--cap-drop=${each}`),
    ...Object.entries(service.environment ?? {}).map(([name, value]) => `--env=${name}=${value}`),
    ...(service.secrets ?? []).map(({ source, target }) => `--volume=${secretFile(source)}:${target}:ro`),
    ...(service.volumes ?? []).map(({ source, target }) => `--volume=${source}:${target}`),
    // Old podmans take no list.
    ...(service.healthcheck === undefined ? [] : [`--health-cmd=${service.healthcheck.test.slice(1).join(' ')}`]),
    ...(program === undefined ? [] : [`--entrypoint=${JSON.stringify([program])}`]),
    image,
    ...first,
    ...(service.command ?? []),
  ]
}
