import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accepted, NO_REASON, officialHash, refusal } from '../lib/auth.mjs'
import { open } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { within } from '../lib/wait.mjs'

const scheme = { hash: 'sha256', iterations: 1000, keyLength: 32 }
const server = await serve({ auth: [{ type: 'storage', options: { table: 'Users', createUser: true, ...scheme } }] })
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const alice = { username: 'alice', password: 'alice-secret' }

test('whoever comes first becomes a user', async () => {
  const { id } = await accepted(server.connect(), alice)
  assert.match(id, UUID)
  assert.deepEqual(await accepted(server.connect(), alice), { id })
  assert.equal(await refusal(server.connect(), { username: 'alice', password: 'wrong' }), NO_REASON)
})

test('first logins at the same time make one user', async () => {
  const bob = { username: 'bob', password: 'bob-secret' }
  const ids = await Promise.all(Array.from({ length: 5 }, () => accepted(server.connect(), bob).then(({ id }) => id)))
  assert.equal(new Set(ids).size, 1)
})

test('the user is a record like any other', async () => {
  const client = server.connect()
  const { id } = await accepted(client, alice)
  const record = await open(client, 'Users/alice')
  assert.equal(record.version, 1)
  assert.equal(record.get('username'), 'alice')
  assert.equal(record.get('clientData.id'), id)
  assert.ok(record.get('serverData.created') > 1.6e12)
  assert.doesNotMatch(JSON.stringify(record.get()), /alice-secret/)
})

test('who watches the record sees the user come', async () => {
  const client = server.connect()
  await accepted(client, alice)
  assert.equal(await within('has', client.record.has('Users/carol')), false) // the server knows now that there is none
  const { id } = await accepted(server.connect(), { username: 'carol', password: 'carol-secret' })
  assert.equal((await within('snapshot', client.record.snapshot('Users/carol'))).clientData.id, id)
})

test('a record that a client wrote is a user too', async () => {
  const client = server.connect()
  await accepted(client, alice)
  const user = { password: officialHash('dave-secret', scheme), clientData: { id: 'dave-id', color: 'red' }, serverData: { role: 'topsecret' } }
  await within('write', client.record.setData('Users/dave', user))
  assert.deepEqual(await accepted(server.connect(), { username: 'dave', password: 'dave-secret' }), { id: 'dave-id', color: 'red' })
})

test('missing credentials are named', async () => {
  assert.deepEqual(await refusal(server.connect(), { username: 'x' }), { error: 'missing authentication parameters: false password' })
})

test('users outlive the server', async () => {
  const client = server.connect()
  const before = await accepted(client, alice)
  client.close()
  assert.equal(await server.end('SIGTERM'), 0)
  await server.start()
  assert.deepEqual(await accepted(server.connect(), alice), before)
  assert.deepEqual(await accepted(server.connect(), { username: 'dave', password: 'dave-secret' }), { id: 'dave-id', color: 'red' })
  assert.equal(await refusal(server.connect(), { username: 'alice', password: 'wrong' }), NO_REASON)
  assert.doesNotMatch(server.log, /-secret|topsecret/)
})
