// nginx with a part of a configuration, as docs/operations.md gives one, on loopback.

import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { startDaemon } from './daemon.ts'

/**
 * @param http what goes into its section `http`
 * @param port of one of its listeners; it counts as started when that takes connections
 * @param folder for its files; is made
 * @returns ends it
 */
export async function startNginx(http: string, port: number, folder: string): Promise<() => Promise<void>> {
  await mkdir(folder)
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
    .join(' ')
  const main = `daemon off; worker_processes 1; pid ${join(folder, 'pid')}; error_log stderr warn;`
  // Started by root it would change to another user, who may not look into our folder.
  const user = process.geteuid?.() === 0 ? 'user root;' : ''
  const config = `${user} ${main}\nevents {}\nhttp {\naccess_log off; ${temporary}\n${http}\n}\n`
  const file = join(folder, 'nginx.conf')
  await writeFile(file, config)
  return startDaemon('nginx', ['-c', file, '-p', folder, '-e', 'stderr'], () => takesConnections(port))
}

function takesConnections(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
}
