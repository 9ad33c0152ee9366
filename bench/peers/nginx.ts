// nginx over a folder: no registry, but what a static file can be served at on this machine.

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/support/http/free-port.ts'
import { answers, startServer, type Server } from '../processes.ts'

export interface FileServer extends Server {
  readonly url: string
}

/** @param folder what it serves @param own for its files; must not exist yet */
export async function startNginx(folder: string, own: string): Promise<FileServer> {
  await mkdir(own, { recursive: true })
  const port = await freePort()
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const config = `
    daemon off; worker_processes 1; pid ${join(own, 'pid')}; error_log stderr error; user root;
    events { worker_connections 256; }
    http {
      ${temporary.map((kind) => `${kind}_temp_path ${join(own, kind)};`).join(' ')}
      access_log off; sendfile on; keepalive_requests 1000000000;
      server { listen 127.0.0.1:${port}; root ${folder}; }
    }`
  const configFile = join(own, 'nginx.conf')
  await writeFile(configFile, config)
  const server = startServer('nginx', ['-c', configFile, '-p', own], join(own, 'log'))
  const url = `http://127.0.0.1:${port}`
  await answers(url)
  return { url, pid: server.pid, stop: () => server.stop() }
}
