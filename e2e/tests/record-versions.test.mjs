// The core of records, once for each major version of the official client that speaks this protocol.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import v7 from '@deepstream/client'
import v4 from 'client-v4'
import v5 from 'client-v5'
import v6 from 'client-v6'
import { message, open } from '../lib/record.mjs'
import { serve, settled } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()

const constructed = library => (url, options) => new library.DeepstreamClient(url, options)
const versions = { v4, v5: constructed(v5), v6: constructed(v6), v7: constructed(v7) } // v4 exports a factory

for (const [version, create] of Object.entries(versions)) {
  const login = username => server.login(username, { recordDiscardTimeout: 20 }, { create })

  test(`client ${version}: writing and following`, async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    const [ours, theirs] = [await open(alice, `${version}/record`), await open(bob, `${version}/record`)]
    ours.set({ z: 1, a: { b: [1, 2] } })
    ours.set('a.b[1]', 'two')
    ours.set('z', undefined)
    await eventually('updates', () => theirs.version === 3)
    assert.equal(JSON.stringify(theirs.get()), '{"a":{"b":[1,"two"]}}')
    theirs.set('back', true)
    await eventually('update', () => ours.get('back'))
    const carol = await login('carol')
    assert.deepEqual(await within('snapshot', carol.record.snapshot(`${version}/record`)), ours.get())
  })

  test(`client ${version}: confirmations, existence, deletion`, async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    const name = `${version}/life`
    assert.equal(await within('has', bob.record.has(name)), false)
    const ours = await open(alice, name)
    await within('confirmation', new Promise((resolve, reject) =>
      ours.set({ a: 1 }, error => error ? reject(new Error(error)) : resolve())))
    assert.equal(await within('has', bob.record.has(name)), true)
    const theirs = await open(bob, name)
    let deleted = false
    theirs.on('delete', () => { deleted = true })
    ours.delete()
    await eventually('event', () => deleted)
    assert.equal(await within('has', bob.record.has(name)), false)
    assert.equal((await open(bob, name)).version, 0)
  })

  test(`client ${version}: lists`, async () => {
    const [alice, bob] = [await login('alice'), await login('bob')]
    const [ours, theirs] = [alice, bob].map(client => client.record.getList(`${version}/list`))
    await Promise.all([ours, theirs].map(list => within('ready', list.whenReady())))
    ours.addEntry('a')
    ours.addEntry('b')
    await eventually('entries', () => theirs.getEntries().join() === 'a,b')
    theirs.removeEntry('a')
    await eventually('removal', () => ours.getEntries().join() === 'b')
  })

  test(`client ${version}: providing`, async () => {
    const [provider, subscriber] = [await login('provider'), await login('subscriber')]
    provider.record.listen(`^${version}/provided`, (name, response) => {
      response.accept()
      provider.record.setData(name, { by: version })
    })
    await settled(provider)
    const ours = await open(subscriber, `${version}/provided/1`)
    await eventually('data', () => ours.get('by') === version && ours.hasProvider)
  })

  test(`client ${version}: a patch of several paths arrives as an update`, async () => {
    const [client, raw] = [await login('alice'), await server.raw()]
    const ours = await open(client, `${version}/multi`)
    ours.set({ a: 1 })
    await settled(client)
    raw.send(message('PATCH_MULTI', { name: ours.name, version: -1, data: '[{"path":"b.c","data":2},{"path":"a"}]' }))
    await eventually('update', () => ours.version === 2)
    assert.deepEqual(ours.get(), { b: { c: 2 } })
  })
}
