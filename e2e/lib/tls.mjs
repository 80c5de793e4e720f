// Certificates of a private authority, and TLS by hand.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, readFile, rename } from 'node:fs/promises'
import { connect as connectTCP, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { within } from './wait.mjs'

const ROOT = dirname(fileURLToPath(new URL('..', import.meta.url)))

/** Makes ca.pem and NAME.pem, NAME.key for every name in `folder`, and returns the authority. */
export async function certificates (folder, ...names) {
  execFileSync('go', ['run', './e2e/certs', folder, ...names], { cwd: ROOT })
  return await readFile(join(folder, 'ca.pem'), 'utf8')
}

/** Lets certificate `name` take the place of cert.pem and key.pem, each at once. */
export async function install (folder, name) {
  for (const [from, to] of [[`${name}.key`, 'key.pem'], [`${name}.pem`, 'cert.pem']]) {
    await copyFile(join(folder, from), join(folder, `${to}.new`))
    await rename(join(folder, `${to}.new`), join(folder, to))
  }
}

/** The common name of the certificate that a new connection is shown, and the protocol version. */
export async function shown (server, options = {}) {
  const socket = connect({ port: server.port, host: '127.0.0.1', ca: server.ca, ...options })
  await within('TLS handshake', once(socket, 'secureConnect'))
  const result = { name: socket.getPeerCertificate().subject.CN, version: socket.getProtocol() }
  socket.destroy()
  return result
}

/** The first bytes that a TLS client sends. */
export async function clientHello () {
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const client = connect({ port: listener.address().port, host: '127.0.0.1' })
  client.on('error', () => {})
  const [socket] = await once(listener, 'connection')
  const [hello] = await within('ClientHello', once(socket, 'data'))
  client.destroy()
  socket.destroy()
  listener.close()
  return hello
}

/** TCP connections to `port` that send `bytes` and nothing more. */
export async function silent (port, count, bytes) {
  return await Promise.all(Array.from({ length: count }, async () => {
    const socket = connectTCP(port, '127.0.0.1')
    socket.on('error', () => {})
    await within('TCP connection', once(socket, 'connect'))
    socket.write(bytes)
    return socket
  }))
}
