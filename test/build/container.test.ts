// The image and the composition of deploy/: checked as text everywhere, and where podman is, built of this machine's own
// programs instead of the bases that the Containerfile names, and run.

import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { hash } from 'bcrypt'
import { beforeAll, describe, expect, test } from 'vitest'
import { neededForBuildx, startBuildx } from '../support/clients/buildkit.ts'
import { startTool } from '../support/clients/podman-buildah.ts'
import { describeWith, findClient, missingClients } from '../support/clients/programs.ts'
import { inOrder, podmanArguments, readCompose } from '../support/containers/compose-model.ts'
import { neededForContainers, writeMachineBase, writeProgramImage } from '../support/containers/machine-base.ts'
import { makeImage } from '../support/image.ts'
import { eventually, projectFolder, temporaryFolder } from '../support/stack.ts'

const containerfile = join(projectFolder, 'deploy/Containerfile')
const pinned = /@sha256:[0-9a-f]{64}$/

test('the Containerfile takes its bases by digest', async () => {
  const text = await readFile(containerfile, 'utf8')
  const bases = [...text.matchAll(/^FROM \$\{(\w+)\}/gm)].map(([, name]) => name)
  expect(bases).toEqual(['BUILD_BASE', 'BASE'])
  expect(text.match(/^FROM /gm)).toHaveLength(bases.length)
  for (const name of bases) expect(new RegExp(`^ARG ${name}=(.+)$`, 'm').exec(text)?.[1]).toMatch(pinned)
})

describeWith(neededForBuildx, 'BuildKit', () => {
  test('finds no fault with the Containerfile', async () => {
    const buildx = await startBuildx()
    try {
      const bases = ['--build-arg=BASE=scratch', '--build-arg=BUILD_BASE=scratch']
      await buildx.build(projectFolder, '--check', `--file=${containerfile}`, ...bases)
    } finally {
      await buildx.stop()
    }
  })
})

describeWith(['compose-spec'], 'the Compose Specification', () => {
  test('takes the composition; images are by digest, and only IPFS is reached from elsewhere', async () => {
    const { services } = await readCompose()
    expect(Object.keys(services).sort()).toEqual(['edge', 'kubo', 'origin', 's3'])
    for (const [name, { image, ports, healthcheck, volumes }] of Object.entries(services)) {
      expect([name, image]).toEqual([name, expect.stringMatching(/^mirrorball$|@sha256:[0-9a-f]{64}$/)])
      if (image !== 'mirrorball') expect([name, healthcheck?.test]).toEqual([name, expect.any(Array)])
      for (const { host_ip: address, target } of ports ?? [])
        expect([name, target, address]).toEqual([
          name,
          target,
          name === 'kubo' && target === 4001 ? undefined : '127.0.0.1',
        ])
      expect((volumes ?? []).map(({ source }) => source)).not.toContain(expect.stringContaining('/'))
    }
  })
})

describeWith(neededForContainers, 'the image', () => {
  const own = ['--isolation=chroot', '--format=docker', '--timestamp=0', '--layers=false', '--quiet']
  /** The machine's limits may be lower than podman's, and its init none that podman could have a timer of. */
  const here = ['--detach', '--ulimit=nofile=4096:4096', '--ulimit=nproc=4096:4096', '--health-interval=disable']
  let podman: Awaited<ReturnType<typeof startTool>>
  let folder: string

  /** As from a clone of its own. */
  async function buildFrom(context: string, tag: string): Promise<void> {
    const bases = ['--build-arg=BASE=localhost/base', '--build-arg=BUILD_BASE=localhost/base']
    await podman.run(
      'build',
      ...own,
      ...bases,
      `--tag=localhost/${tag}`,
      `--file=${join(context, 'deploy/Containerfile')}`,
      context,
    )
  }

  async function inspect(image: string): Promise<Inspected> {
    const [found] = JSON.parse(await podman.run('image', 'inspect', image)) as [Inspected]
    return found
  }

  beforeAll(async () => {
    podman = await startTool('podman')
    const temporary = await temporaryFolder()
    folder = temporary.path
    await writeMachineBase(join(folder, 'base'))
    await podman.run('build', '--quiet', '--tag=localhost/base', join(folder, 'base'))
    await buildFrom(projectFolder, 'mirrorball')
    return async () => {
      await podman.run('rm', '--all', '--force', '--time=0')
      await podman.stop()
      await temporary.remove()
    }
  })

  test('runs as nobody, is stopped by SIGTERM, keeps its data in a volume and says how it is', async () => {
    const { Config: config } = await inspect('localhost/mirrorball')
    expect(config).toMatchObject({ User: '65532:65532', StopSignal: 'SIGTERM', Volumes: { '/data': {} } })
    expect((await inspect('localhost/mirrorball')).Healthcheck.Test[0]).toBe('CMD')
  })

  test('is small: beside its base, Node and a few megabytes', async () => {
    const [base, image] = [await inspect('localhost/base'), await inspect('localhost/mirrorball')]
    expect((image.Size - base.Size) / 1024 ** 2).toBeLessThan(140)
  })

  test('is the same from another clone, to the byte', async () => {
    const clone = join(folder, 'clone')
    await mkdir(clone)
    for (const name of [
      '.dockerignore',
      'package.json',
      'package-lock.json',
      'LICENSE',
      'bin',
      'origin',
      'shared',
      'deploy',
    ])
      await cp(join(projectFolder, name), join(clone, name), { recursive: true })

    await buildFrom(clone, 'again')

    const [first, again] = [await inspect('localhost/mirrorball'), await inspect('localhost/again')]
    expect(again.RootFS.Layers).toEqual(first.RootFS.Layers)
  })

  const versitygw = process.env['VERSITYGW_BIN']
  const missing = versitygw === undefined ? 'VERSITYGW_BIN names no versitygw' : missingClients('compose-spec', 'ipfs')

  describe.skipIf(missing !== undefined)(`with S3 and Kubo as compose.yaml has it (${missing ?? 'real'})`, () => {
    /** The network of the containers, which no other program of this machine is in. */
    let network = ''
    const at = 'docker://127.0.0.1:8787/team/app:v1'
    const skopeo = async (...args: readonly string[]) => {
      const program = [findClient('skopeo') ?? '', '--insecure-policy', ...args]
      return (await promisify(execFile)('nsenter', [`--net=${network}`, ...program])).stdout
    }
    const isHealthy = (name: string) =>
      podman.run('healthcheck', 'run', name).then(
        () => true,
        () => false,
      )

    beforeAll(async () => {
      const secrets = join(folder, 'secrets')
      await mkdir(secrets)
      await writeFile(join(secrets, 's3-secret'), 'a-secret-of-the-tests')
      await writeFile(join(secrets, 'edge-key'), 'a-key-of-the-tests-with-more-than-32-characters')
      await writeFile(join(secrets, 'htpasswd'), `alice:${await hash('alice-password', 10)}\n`)
      await buildProgram('s3', versitygw ?? '', 'exec versitygw "$@"')
      await buildProgram(
        'kubo',
        findClient('ipfs') ?? '',
        'export IPFS_PATH=/data/ipfs; ipfs init; ipfs config Addresses.API /ip4/0.0.0.0/tcp/5001; exec ipfs daemon',
      )
      const services = inOrder(await readCompose())
      for (const [name, service] of services) {
        const log = join(folder, `${name}.log`)
        const options = [
          ...here,
          `--name=${name}`,
          `--log-opt=path=${log}`,
          `--network=${network === '' ? 'none' : `ns:${network}`}`,
          ...services.map(([each]) => `--add-host=${each}:127.0.0.1`),
        ]
        const image = `localhost/${service.image === 'mirrorball' ? service.image : name}`
        await podman.run('run', ...options, ...podmanArguments(service, image, (secret) => join(secrets, secret)))
        if (network === '')
          network = `/proc/${(await podman.run('inspect', '--format={{.State.Pid}}', name)).trim()}/ns/net`
        await eventually(`${name} is healthy`, () => isHealthy(name), 60_000).catch(async (error: unknown) => {
          throw new Error(await readFile(log, 'utf8'), { cause: error })
        })
      }
    })

    async function buildProgram(name: string, program: string, start: string): Promise<void> {
      await writeProgramImage(join(folder, name), program, basename(program), start)
      await podman.run('build', '--quiet', `--tag=localhost/${name}`, join(folder, name))
    }

    test('takes a push of a user at the edge and gives it to everybody, and to Kubo', async () => {
      const image = await makeImage(join(folder, 'image'), 'composed', [3_000_000, 100])
      const push = (...options: readonly string[]) =>
        skopeo('copy', '--dest-tls-verify=false', ...options, `oci:${image.folder}:latest`, at)

      await expect(push()).rejects.toThrow(/unauthorized|authentication required|denied/)
      await push('--dest-creds=alice:alice-password')

      const digest = await skopeo('inspect', '--tls-verify=false', '--format={{.Digest}}', at)
      expect(digest.trim()).toBe(image.manifest.digest)
      await skopeo('copy', '--src-tls-verify=false', at, `oci:${join(folder, 'pulled')}:latest`)
      const ipfs = ['ipfs', '--api=/ip4/127.0.0.1/tcp/5001']
      expect(await podman.run('exec', 'kubo', ...ipfs, 'pin', 'ls', '--type=recursive')).toMatch(/^baf/m)
    })

    test('writes to its volume alone, and is nobody', async () => {
      const node = (name: string, script: string) => podman.run('exec', name, '/usr/local/bin/node', '-p', script)
      await expect(node('origin', "fs.writeFileSync('/app/x', '')")).rejects.toThrow(/EROFS/)
      expect(await node('edge', 'process.getuid()')).toBe('65532\n')
    })

    test('ends by itself with 0 when it is stopped', async () => {
      for (const name of ['edge', 'origin']) {
        await podman.run('stop', '--time=60', name)
        expect([name, await podman.run('inspect', '--format={{.State.ExitCode}}', name)]).toEqual([name, '0\n'])
      }
    })
  })
})

interface Inspected {
  readonly Size: number
  readonly RootFS: { readonly Layers: readonly string[] }
  readonly Config: { readonly User: string; readonly StopSignal: string; readonly Volumes: object }
  readonly Healthcheck: { readonly Test: readonly string[] }
}
