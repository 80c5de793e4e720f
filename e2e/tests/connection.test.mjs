import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { auth, connection, encode, event, parser, PING, PONG } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const TIMEOUT = 2_000
const server = await serve({
  connectionEndpoints: [{ type: 'ws-binary', options: { unauthenticatedClientTimeout: TIMEOUT } }]
})

test('a named login opens the connection and hands out no client data', async () => {
  const client = server.connect()
  const data = await within('login', client.login({ username: 'alice' }))
  assert.ok(data === undefined || data === null, `client data: ${data}`)
  assert.equal(client.getConnectionState(), 'OPEN')
})

test('without a name one is the user "open"', async () => {
  const watcher = await server.login('watcher')
  const anonymous = await server.login()
  assert.equal(anonymous.getConnectionState(), 'OPEN')
  await eventually('presence', async () => (await watcher.presence.getAll(['open'])).open)
})

test('the answer to a login carries no field but its action', async () => {
  const raw = await server.raw('P2')
  await raw.request(auth('REQUEST', { data: '{}' }), auth('AUTH_SUCCESSFUL'))
})

test('the server does not speak first', async () => {
  const raw = await server.raw('P1')
  await raw.settled()
})

test('a challenge needs no field at all', async () => {
  const raw = await server.raw('P1')
  await raw.request(connection('CHALLENGE'), connection('ACCEPT'))
})

for (const data of [undefined, '', '{', 'null', 'false', '0', '""', '"alice"', '[]', '{"username":}', '{} {}']) {
  test(`login data ${JSON.stringify(data)} is refused and the connection closed`, async () => {
    const raw = await server.raw('P2')
    raw.send(auth('REQUEST', data === undefined ? {} : { data }))
    await raw.expect(auth('INVALID_MESSAGE_DATA'))
    await raw.closed()
  })
}

test('a PING is answered before the challenge, before the login and after it', async () => {
  for (const phase of ['P1', 'P2', 'P3']) {
    const raw = await server.raw(phase)
    raw.send(PING, PING)
    await raw.expect(PONG, PONG)
  }
})

for (const phase of ['P1', 'P2']) {
  test(`who does not log in is told so and cut off (${phase})`, async () => {
    const raw = await server.raw(phase)
    await raw.expect(connection('AUTHENTICATION_TIMEOUT'))
    await raw.closed()
  })
}

test('the login timer ends with the login', async () => {
  const early = await server.raw('P3')
  const late = await server.raw('P1') // its timer started after that of early
  await late.expect(connection('AUTHENTICATION_TIMEOUT'))
  await early.settled()
})

test('the official client gives up after an authentication timeout', async () => {
  const client = server.connect()
  await eventually('terminal state', () => client.getConnectionState() === 'AUTHENTICATION_TIMEOUT')
  client.errors.length = 0
})

test('listening before the login neither closes the connection nor gets lost', async () => {
  const provider = server.connect()
  const found = []
  await eventually('challenge accepted', () => provider.getConnectionState() === 'AWAITING_AUTHENTICATION')
  provider.event.listen('^early/', (name, response) => { found.push(name); response.accept() })
  await within('login', provider.login({ username: 'provider' }))
  await settled(provider)
  const subscriber = await server.login('subscriber')
  subscriber.event.subscribe('early/1', () => {})
  await eventually('listener asked', () => found.length > 0)
  assert.deepEqual(found, ['early/1'])
})

test('a second login on an open connection changes nothing', async () => {
  const raw = await server.raw('P3', 'first')
  raw.send(auth('REQUEST', { data: '{"username":"second"}' }))
  const { topic, action } = await raw.next()
  assert.deepEqual({ topic, action }, parser('UNKNOWN_TOPIC'))
  const watcher = await server.login('watcher')
  await eventually('presence of the first', async () => (await watcher.presence.getAll(['first'])).first)
  assert.deepEqual(await watcher.presence.getAll(['second']), { second: false })
})

test('messages packed into one frame are handled in order, each answer in a frame of its own', async () => {
  const raw = await server.raw('P1')
  raw.sendFrame(encode(
    connection('CHALLENGE'),
    auth('REQUEST', { data: '{"username":"packed"}' }),
  ))
  await raw.expect(connection('ACCEPT'), auth('AUTH_SUCCESSFUL'))
  raw.sendFrame(encode(
    PING,
    event('SUBSCRIBE', { names: ['a', 'b'], correlationId: '1' }),
    event('SUBSCRIBE', { names: ['b'], correlationId: '2' }),
    event('UNSUBSCRIBE', { names: ['a'], correlationId: '2' }),
    PING,
  ))
  await raw.expect(
    PONG,
    event('SUBSCRIBE', { isAck: true, correlationId: '1' }),
    event('MULTIPLE_SUBSCRIPTIONS', { name: 'b', originalAction: event('SUBSCRIBE').action }),
    event('SUBSCRIBE', { isAck: true, correlationId: '2' }),
    event('UNSUBSCRIBE', { isAck: true, correlationId: '2' }),
    PONG,
  )
})
