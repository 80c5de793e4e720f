// The core of every feature, once for each major version of the official client that speaks this protocol.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import v7 from '@deepstream/client'
import v4 from 'client-v4'
import v5 from 'client-v5'
import v6 from 'client-v6'
import { serve, settled } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()

const constructed = library => (url, options) => new library.DeepstreamClient(url, options)
const versions = { v4, v5: constructed(v5), v6: constructed(v6), v7: constructed(v7) } // v4 exports a factory

for (const [version, create] of Object.entries(versions)) {
  const login = username => server.login(username, {}, { create })

  test(`client ${version}: events`, async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    const got = []
    const callback = data => got.push(data)
    bob.event.subscribe('news', callback)
    await settled(bob)
    for (const data of [undefined, null, 0, 'text', { a: [1] }]) alice.event.emit('news', data)
    await eventually('delivery', () => got.length === 5)
    assert.deepEqual(got, [undefined, null, 0, 'text', { a: [1] }])
    bob.event.unsubscribe('news', callback)
    await settled(bob)
  })

  test(`client ${version}: calls`, async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    bob.rpc.provide('add', ([a, b], response) => response.send(a + b))
    bob.rpc.provide('fail', (data, response) => response.error(data))
    bob.rpc.provide('refuse', (_, response) => response.reject())
    await settled(bob)
    assert.equal(await within('answer', alice.rpc.make('add', [1, 2])), 3)
    await assert.rejects(within('error', alice.rpc.make('fail', 'reason')), error => error === 'reason')
    await assert.rejects(within('rejection', alice.rpc.make('refuse')), error => error === 'NO_RPC_PROVIDER')
    await assert.rejects(within('no provider', alice.rpc.make('nobody')), error => error === 'NO_RPC_PROVIDER')
  })

  test(`client ${version}: presence`, async () => {
    const watcher = await login('watcher')
    const seen = []
    watcher.presence.subscribe(`guest/${version}`, (user, online) => seen.push([user, online]))
    await settled(watcher)
    const guest = await login(`guest/${version}`)
    await eventually('join', () => seen.length === 1)
    assert.ok((await within('list', watcher.presence.getAll())).includes(`guest/${version}`))
    guest.close()
    await eventually('leave', () => seen.length === 2)
    assert.deepEqual(seen, [[`guest/${version}`, true], [`guest/${version}`, false]])
  })

  test(`client ${version}: listening`, async () => {
    const [provider, subscriber] = [await login('provider'), await login('subscriber')]
    const calls = []
    provider.event.listen(`^${version}/`, (name, response) => {
      calls.push(`start ${name}`)
      response.onStop(stopped => calls.push(`stop ${stopped}`))
      response.accept()
    })
    await settled(provider)
    const callback = () => {}
    subscriber.event.subscribe(`${version}/1`, callback)
    await eventually('start', () => calls.length === 1)
    subscriber.event.unsubscribe(`${version}/1`, callback)
    await eventually('stop', () => calls.length === 2)
    assert.deepEqual(calls, [`start ${version}/1`, `stop ${version}/1`])
  })
}
