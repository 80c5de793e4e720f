// Everything over wss://, with a private authority.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import v7 from '@deepstream/client'
import v4 from 'client-v4'
import v5 from 'client-v5'
import v6 from 'client-v6'
import { event } from '../lib/raw.mjs'
import { serve, settled } from '../lib/server.mjs'
import { certificates, clientHello, install, shown, silent } from '../lib/tls.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve({
  httpServer: { options: { maxBackpressure: '16MiB', ssl: { cert: 'fileLoad(cert.pem)', key: 'fileLoad(key.pem)' } } },
  connectionEndpoints: [{ type: 'ws-binary', options: { maxMessageSize: '2MiB' } }]
}, {
  prepare: async folder => {
    const ca = await certificates(folder, 'server')
    await install(folder, 'server')
    return ca
  }
})

const constructed = library => (url, options) => new library.DeepstreamClient(url, options)
const versions = { v4, v5: constructed(v5), v6: constructed(v6), v7: constructed(v7) } // v4 exports a factory

for (const [version, create] of Object.entries(versions)) {
  test(`client ${version}: events and records`, async () => {
    const [alice, bob] = [await server.login('alice', {}, { create }), await server.login('bob', {}, { create })]
    const got = []
    bob.event.subscribe('news', data => got.push(data))
    await settled(bob)
    for (let i = 0; i < 100; i++) alice.event.emit('news', i)
    await eventually('delivery', () => got.length === 100)
    assert.deepEqual(got, Array.from({ length: 100 }, (_, i) => i))
    const record = alice.record.getRecord(`tls/${version}`)
    await within('record', record.whenReady())
    await within('write', record.setWithAck('path', { a: 1 }))
    assert.deepEqual(await within('snapshot', bob.record.snapshot(`tls/${version}`)), { path: { a: 1 } })
  })
}

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  const limits = { minVersion: version, maxVersion: version }

  test(`${version}: messages of a megabyte in both directions`, async () => {
    assert.deepEqual(await shown(server, limits), { name: 'server', version })
    const [sender, receiver] = [await server.login('s', { socketOptions: limits }), await server.login('r', { socketOptions: limits })]
    const got = []
    receiver.event.subscribe('large', data => got.push(data))
    await settled(receiver)
    const large = Array.from({ length: 5 }, (_, i) => String(i).repeat(1_048_576))
    large.forEach(data => sender.event.emit('large', data))
    await eventually('delivery', () => got.length === large.length)
    assert.ok(got.every((data, i) => data === large[i]), 'something arrived changed')
  })
}

test('TLS 1.1 and unknown authorities are refused', async () => {
  await assert.rejects(shown(server, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }), /alert|protocol version/)
  await assert.rejects(shown(server, { ca: undefined }), /unable to verify|self.signed|issuer/)
  await assert.rejects(server.raw('P1', undefined, { ca: undefined }), /unable to verify|self.signed|issuer/)
})

test('plain HTTP on the TLS port is told so', async () => {
  const answer = await fetch(`http://${server.url}/health-check`)
  assert.equal(answer.status, 400)
  assert.match(await answer.text(), /this port speaks TLS/)
  assert.ok(await server.healthy())
})

test('clients that begin a handshake and fall silent affect nobody', async () => {
  const before = await server.login('before')
  const hello = await clientHello()
  const idle = [...await silent(server.port, 200, hello.subarray(0, 100)), ...await silent(server.port, 200, hello)]
  const got = []
  const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => server.login(`honest ${i}`)))
  clients.forEach(client => client.event.subscribe('still', data => got.push(data)))
  await Promise.all(clients.map(settled))
  before.event.emit('still', 1)
  await eventually('delivery', () => got.length === clients.length)
  idle.forEach(socket => socket.destroy())
})

test('a graceful stop closes with 1001, behind what was queued', async () => {
  const [reader, sender, fresh] = [await server.raw(), await server.raw(), await server.raw('P1')]
  await reader.request(event('SUBSCRIBE', { names: ['last'] }), event('SUBSCRIBE', { isAck: true }))
  const data = JSON.stringify('x'.repeat(10_000))
  reader.pause()
  for (let i = 0; i < 50; i++) sender.send(event('EMIT', { name: 'last', data }))
  await sender.settled()
  const ended = server.end('SIGTERM')
  reader.resume()
  for (let i = 0; i < 50; i++) await reader.expect(event('EMIT', { name: 'last', data }))
  for (const raw of [reader, sender, fresh]) assert.equal(await raw.closed(), 1001)
  assert.equal(await ended, 0)
  await server.start()
})
