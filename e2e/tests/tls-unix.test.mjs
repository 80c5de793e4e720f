// A Unix socket beside the port, behind a proxy that says whom it acts for.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { connect } from 'node:net'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const HEADER = 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 443\r\n'
const server = await serve({
  httpServer: { options: { unixSocket: { path: 'ds.sock', mode: '0600' }, proxyProtocol: { trusted: ['unix'] } } }
})

/** A connection through the socket that begins with `header`. */
function through (header) {
  const socket = connect(server.path('ds.sock'))
  socket.write(header)
  return socket
}

test('official clients meet, over the socket and over the port', async () => {
  const near = await server.login('near', { socketOptions: { createConnection: () => through(HEADER) } })
  const far = await server.login('far')
  const got = []
  near.event.subscribe('hello', data => got.push(data))
  await settled(near)
  far.event.emit('hello', 'x'.repeat(200_000))
  await eventually('delivery', () => got.length === 1)
  assert.equal(got[0].length, 200_000)
})

test('the socket has the mode asked for', async () => {
  assert.equal((await stat(server.path('ds.sock'))).mode & 0o777, 0o600)
})

for (const [name, header] of Object.entries({
  'no header': 'GET /health-check HTTP/1.1\r\nHost: h\r\n\r\n',
  'a malformed one': 'PROXY TCP4 192.0.2.7 198.51.100.1 40000 443 9\r\n'
})) {
  test(`${name}: the connection is closed without an answer`, async () => {
    const socket = through(header)
    socket.on('data', data => assert.fail(`answered with ${data}`))
    socket.on('error', () => {}) // a reset is an end as well
    await within('the end', once(socket, 'close'))
  })
}

test('a restart finds the socket of a killed server and takes its place', async () => {
  await server.end('SIGKILL')
  await stat(server.path('ds.sock'))
  await server.start()
  await server.login('after', { socketOptions: { createConnection: () => through(HEADER) } })
})

test('a stop removes the socket', async () => {
  assert.equal(await server.end('SIGTERM'), 0)
  await assert.rejects(stat(server.path('ds.sock')), { code: 'ENOENT' })
  await server.start()
})
