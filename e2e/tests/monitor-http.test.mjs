// The monitor of type http on the public port: the official report, with numbers that are known.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { command, commands, emit, get, make, post, record } from '../lib/http.mjs'
import { auth } from '../lib/raw.mjs'
import { serve, settled } from '../lib/server.mjs'
import { within } from '../lib/wait.mjs'

const RULES = `
presence: { "*": { allow: true } }
record: { "*": { create: true, read: true, write: true, delete: true, listen: true, notify: true } }
rpc: { "*": { provide: true, request: true } }
event:
  "*": { publish: true, subscribe: true, listen: true }
  "guarded/$name": { publish: "_('rights')[$name] === true", subscribe: true, listen: true }
`

const server = await serve({
  auth: [{ type: 'file', options: { users: { alice: { password: 'right' }, web: { password: 'right' } } } }],
  permission: { type: 'config', options: { permissions: 'fileLoad(permissions.yml)' } },
  monitoring: [{ type: 'http', options: { url: '/monitor', headerKey: 'X-Monitor', headerValue: 'open-sesame' } }],
  connectionEndpoints: [{ type: 'ws-binary' }, { type: 'http', options: { allowAuthData: true } }]
}, { prepare: folder => writeFile(join(folder, 'permissions.yml'), RULES) })

const who = { authData: { username: 'web', password: 'right' } }

async function report () {
  const answer = await get(server, '/monitor', { 'X-Monitor': 'open-sesame' })
  assert.equal(answer.status, 200, answer.text)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  return answer.body
}

test('without the header there is nothing', async () => {
  for (const [headers, path] of [[{}, ''], [{ 'X-Monitor': 'guess' }, ''], [{ 'X-Monitor': '' }, ''], [{ 'X-Monitor': 'guess' }, '/below']]) {
    const answer = await get(server, '/monitor' + path, headers)
    assert.deepEqual([answer.status, answer.text], [404, 'Endpoint not found.'])
  }
  assert.equal((await post(server, '/monitor', {}, { 'X-Monitor': 'open-sesame' })).status, 404, 'only GET')
})

test('the report is the official one', async () => {
  const first = await report()
  assert.deepEqual(Object.keys(first), ['from', 'to', 'clusterSize', 'stateMetrics', 'errors', 'received', 'send', 'logins'])
  const second = await report()
  assert.equal(second.from, first.to)
  assert.deepEqual([second.clusterSize, second.received, second.send, second.logins], [1, {}, {}, {}])
  assert.deepEqual(Object.keys(second.stateMetrics), [
    'STATE_REGISTRY', 'EVENT_LISTEN_PATTERNS', 'EVENT_PUBLISHED_SUBSCRIPTIONS', 'RPC_SUBSCRIPTIONS', 'RECORD_SUBSCRIPTIONS',
    'RECORD_LISTEN_PATTERNS', 'RECORD_PUBLISHED_SUBSCRIPTIONS', 'PRESENCE_SUBSCRIPTIONS', 'LOCK', 'EVENT_SUBSCRIPTIONS', 'ONLINE_USERS'
  ])
})

test('logins are told apart by the way in; commands are none', async () => {
  await report()
  const client = server.connect()
  await within('login', client.login({ username: 'alice', password: 'right' }))
  assert.equal((await post(server, '/api/auth', { username: 'web', password: 'right' })).status, 200)
  for (const wrong of [{ username: 'web', password: 'wrong' }, { username: 'nobody', password: 'right' }]) {
    assert.equal((await post(server, '/api/auth', wrong)).status, 401)
  }
  assert.deepEqual(await command(server, emit('e'), who), { success: true })
  assert.equal((await post(server, '/api', { authData: { username: 'web', password: 'wrong' }, body: [emit('e')] })).status, 401)
  assert.deepEqual((await report()).logins, { websocket: { allowed: 1, declined: 0 }, http: { allowed: 1, declined: 2 } })
  const raw = await server.raw('P2')
  raw.send(auth('REQUEST', { data: '{"username":"alice","password":"wrong"}' }))
  await raw.next()
  assert.deepEqual((await report()).logins, { websocket: { allowed: 0, declined: 1 } })
})

test('commands count as what they are carried out as, and nothing beside', async () => {
  const client = server.connect()
  await within('login', client.login({ username: 'alice', password: 'right' }))
  client.event.subscribe('news', () => {})
  client.rpc.provide('double', (data, response) => response.send(data * 2))
  await settled(client)
  await report()
  const { body } = await commands(server, [emit('news', 1), emit('nobody', 2), make('double', 4), record('write', 'r', { data: { a: 1 } }), record('read', 'r')], who)
  assert.deepEqual(body.map(slot => slot.success), [true, true, true, true, true])
  await settled(client)
  const { received, send } = await report()
  assert.deepEqual(received.EVENT, { EMIT: 2 })
  assert.deepEqual(received.RPC, { REQUEST: 1, ACCEPT: 1, RESPONSE: 1 })
  assert.deepEqual(received.RECORD, { CREATEANDUPDATE: 1, READ: 1 })
  assert.deepEqual(send.EVENT, { EMIT: 1 })
  assert.deepEqual(send.RECORD, { WRITE_ACKNOWLEDGEMENT: 1, READ_RESPONSE: 1 })
})

test('what is refused after a look at a record was not received', async () => {
  assert.deepEqual(await command(server, record('write', 'rights', { data: { open: true } }), who), { success: true })
  await report()
  const slots = await commands(server, [emit('guarded/open'), emit('guarded/shut'), emit('guarded/shut')], who)
  assert.deepEqual(slots.body.map(slot => slot.success), [true, false, false])
  const { received, send } = await report()
  assert.deepEqual(received, { EVENT: { EMIT: 1 } })
  assert.deepEqual(send.EVENT, { MESSAGE_DENIED: 2 })
})
