// Programs without a WebSocket, beside official clients with one.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { command, commands, emit, get, list, make, post, query, record } from '../lib/http.mjs'
import { serve, settled } from '../lib/server.mjs'
import { eventually, never, within } from '../lib/wait.mjs'

const server = await serve({ rpc: { ackTimeout: 5_000, responseTimeout: 600 } })

/** A client that collects what it hears of `name`. */
async function subscriber (name) {
  const client = await server.login('subscriber')
  const heard = []
  client.event.subscribe(name, data => heard.push(data))
  await settled(client)
  return { client, heard }
}

test('an event reaches subscribers with its data, whatever that is', async () => {
  const { heard } = await subscriber('weather')
  const all = [{ deep: { er: [1, 2.5, null] } }, 'text', 0, false, null, [], '', 'ü😀']
  for (const data of all) assert.deepEqual(await command(server, emit('weather', data)), { success: true })
  await eventually('all of them', () => heard.length === all.length)
  assert.deepEqual(heard, all)
})

test('an event without data, and one for nobody', async () => {
  const { heard } = await subscriber('bare')
  assert.deepEqual(await command(server, { topic: 'event', action: 'emit', eventName: 'bare' }), { success: true })
  assert.deepEqual(await command(server, emit('nobody-listens', 1)), { success: true })
  await eventually('it', () => heard.length === 1)
  assert.equal(heard[0], undefined)
})

test('events of one request arrive in its order', async () => {
  const { heard } = await subscriber('order')
  const { result } = await commands(server, Array.from({ length: 500 }, (_, i) => emit('order', i)))
  assert.equal(result, 'SUCCESS')
  await eventually('all of them', () => heard.length === 500)
  assert.deepEqual(heard, Array.from({ length: 500 }, (_, i) => i))
})

test('a record written over HTTP is what a client reads, and its changes are what a client hears', async () => {
  assert.deepEqual(await command(server, record('write', 'user/1', { data: { name: 'Ann', tags: ['a'] } })), { success: true })
  const client = await server.login('reader')
  const user = client.record.getRecord('user/1')
  await within('ready', user.whenReady())
  assert.deepEqual(user.get(), { name: 'Ann', tags: ['a'] })

  assert.deepEqual(await command(server, record('write', 'user/1', { path: 'tags[1]', data: 'b' })), { success: true })
  await eventually('the patch', () => user.get('tags')?.length === 2)
  assert.deepEqual(await command(server, record('write', 'user/1', { data: { name: 'Bob' }, version: 3 })), { success: true })
  await eventually('the update', () => user.get('name') === 'Bob')
  assert.equal(user.version, 3)

  user.set('name', 'Cid')
  await eventually('the write of the client', async () => (await command(server, record('read', 'user/1'))).version === 4)
  assert.deepEqual(await command(server, record('read', 'user/1')), { version: 4, data: { name: 'Cid' }, success: true })

  const deleted = new Promise(resolve => user.once('delete', resolve))
  assert.deepEqual(await command(server, record('delete', 'user/1')), { success: true })
  await within('the deletion', deleted)
  assert.deepEqual(await command(server, record('head', 'user/1')), { version: -1, success: true })
})

test('versions: too low, too high, none, and -1', async () => {
  await command(server, record('write', 'versions', { data: { n: 1 } }))
  const low = await command(server, record('write', 'versions', { data: { n: 2 }, version: 1 }))
  assert.deepEqual(low, {
    errorTopic: 'record', errorEvent: 102, success: false, currentVersion: 1, currentData: { n: 1 },
    error: 'Record update failed. Version 1 exists for record "versions".', errorEventName: 'VERSION_EXISTS'
  })
  const high = await command(server, record('write', 'versions', { data: { n: 2 }, version: 7 }))
  assert.match(high.error, /Record update failed\. Version 7 is not valid for record "versions"\./)
  assert.deepEqual([high.errorEvent, high.currentVersion, high.currentData], [108, 7, { n: 2 }])
  for (const version of [2, -1, 0]) {
    assert.deepEqual(await command(server, record('write', 'versions', { data: { version }, version })), { success: true })
  }
  assert.deepEqual(await command(server, record('read', 'versions')), { version: 4, data: { version: 0 }, success: true })
})

test('what is not there can be deleted and notified, but not read', async () => {
  assert.deepEqual(await command(server, record('delete', 'never')), { success: true })
  const read = await command(server, record('read', 'never'))
  assert.equal(read.error, 'Record read failed. Record "never" could not be found.')
  assert.equal(read.errorEvent, 107)
  for (const recordNames of [[], ['never'], ['never', 'again']]) {
    assert.deepEqual(await command(server, { topic: 'record', action: 'notify', recordNames }), { success: true })
  }
})

test('lists are what clients see as lists', async () => {
  assert.deepEqual(await command(server, list('write', 'cars', { data: ['a', 'b'] })), { success: true })
  const client = await server.login('lister')
  const cars = client.record.getList('cars')
  await within('ready', cars.whenReady())
  assert.deepEqual(cars.getEntries(), ['a', 'b'])
  cars.addEntry('c')
  await eventually('the third', async () => (await command(server, list('read', 'cars'))).data.length === 3)
  assert.deepEqual(await command(server, list('read', 'cars')), { version: 2, data: ['a', 'b', 'c'], success: true })
  const deleted = new Promise(resolve => cars.once('delete', resolve))
  assert.deepEqual(await command(server, list('delete', 'cars')), { success: true })
  await within('the deletion', deleted)
})

test('presence knows who is connected, and not who asks', async () => {
  const nobody = async () => {
    const answer = await command(server, query(), { authData: { username: 'over-http' } })
    return answer.success && answer.users.length === 0
  }
  await eventually('nobody, once the clients of the last test are gone', nobody)
  const alice = await server.login('alice')
  await server.login('bob')
  const joined = []
  await settled(alice) // who is there has been announced
  alice.presence.subscribe((user, login) => joined.push(user))
  await settled(alice)
  const all = await command(server, query(), { authData: { username: 'over-http' } })
  assert.deepEqual([...all.users].sort(), ['alice', 'bob'])
  assert.deepEqual(await command(server, query(['alice', 'over-http'])), { users: { alice: true, 'over-http': false }, success: true })
  assert.deepEqual(await command(server, query([])), { users: {}, success: true })
  await never('a join of somebody without a connection', () => joined.length > 0)
})

test('a call is answered by an official client', async () => {
  const provider = await server.login('provider')
  provider.rpc.provide('add', ({ a, b }, response) => response.send(a + b))
  provider.rpc.provide('nothing', (_, response) => response.send())
  provider.rpc.provide('fails', (_, response) => response.error('always errors'))
  provider.rpc.provide('refuses', (_, response) => response.reject())
  provider.rpc.provide('sleeps', (_, response) => { response.autoAccept = true })
  await settled(provider)
  assert.deepEqual(await command(server, make('add', { a: 1, b: 2 })), { data: 3, success: true })
  const nothing = await command(server, make('nothing'))
  assert.equal(nothing.success, true)
  const fails = await command(server, make('fails', 1))
  assert.deepEqual([fails.success, fails.error, fails.errorTopic], [false, 'always errors', 'rpc'])
  const refused = await command(server, make('refuses'))
  assert.equal(refused.error, 'No provider was available to handle the RPC "refuses".')
  assert.equal((await command(server, make('nobody'))).errorEvent, 100)
  assert.match((await command(server, make('sleeps'))).error, /response timeout was exceeded/i)
})

test('a batch with one failure of each kind', async () => {
  await command(server, record('write', 'batch', { data: { a: 1 } }))
  const { result, body } = await commands(server, [
    emit('batch', 1),
    record('read', 'batch/none'),
    record('write', 'batch', { data: {}, version: 1 }),
    record('write', 'batch', { data: {}, version: 9 }),
    record('write', 'batch', { data: 1, path: 'a[4000000000]' }),
    make('batch'),
    query(['batch'])
  ])
  assert.equal(result, 'PARTIAL_SUCCESS')
  assert.deepEqual(body.map(slot => slot.errorEventName ?? slot.success),
    [true, 'RECORD_NOT_FOUND', 'VERSION_EXISTS', 'INVALID_VERSION', 'INVALID_MESSAGE_DATA', 'NO_RPC_PROVIDER', true])
})

test('5,000 commands at once', async () => {
  const writes = Array.from({ length: 5_000 }, (_, n) => record('write', `many/${n % 10}`, { data: { n } }))
  const { result } = await commands(server, writes)
  assert.equal(result, 'SUCCESS')
  assert.deepEqual(await command(server, record('read', 'many/9')), { version: 500, data: { n: 4_999 }, success: true })
})

test('nothing of a request is carried out when one command is wrong', async () => {
  const { heard } = await subscriber('wrong')
  const answer = await post(server, '/api', { body: [emit('wrong', 1), { topic: 'event', action: 'emit' }] })
  assert.equal(answer.status, 400)
  assert.equal(answer.text, "Failed to parse JIF object at index 1. Reason: property 'eventName' is required for topic 'event' and action 'emit'\r\n\r\n")
  await never('an event', () => heard.length > 0)
})

test('records are read by GET, and again only if they have changed', async () => {
  await command(server, record('write', 'a/b c', { data: { n: 1 } }))
  const first = await get(server, '/api/record/a/b%20c')
  assert.deepEqual([first.status, first.body], [200, { n: 1 }])
  const tag = first.headers.get('etag')
  assert.match(tag, /^"1-/)
  assert.equal((await get(server, '/api/record/a%2Fb%20c', { 'If-None-Match': tag })).status, 304)
  const head = await get(server, '/api/record/a/b%20c', {}, 'HEAD')
  assert.deepEqual([head.status, head.text, head.headers.get('etag')], [200, '', tag])
  const client = await server.login('writer')
  await within('write', client.record.setDataWithAck('a/b c', { n: 2 }))
  const changed = await get(server, '/api/record/a/b%20c', { 'If-None-Match': tag })
  assert.deepEqual([changed.status, changed.body], [200, { n: 2 }])
  assert.equal((await get(server, '/api/record/none')).status, 404)
})

test('credentials: none, a name, a token', async () => {
  assert.deepEqual((await post(server, '/api/auth', { username: 'x' })).body, {})
  assert.equal((await post(server, '/api', { authData: { username: 'x' }, body: [query()] })).status, 200)
  assert.equal((await post(server, '/api', { token: 'any', body: [query()] })).status, 200)
  assert.equal((await post(server, '/api', { token: '', body: [query()] })).status, 400)
})
