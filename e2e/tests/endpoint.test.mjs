import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from '../lib/server.mjs'
import { auth, connection, encode, event, PONG, PING, Raw } from '../lib/raw.mjs'
import { frame, TEXT } from '../lib/tcp.mjs'

const MAX = 65_536 // bytes of one message
const MAX_BULK = 262_144 // bytes of one message that is a list of names
const server = await serve({
  connectionEndpoints: [{ type: 'ws-binary', options: { maxMessageSize: MAX, maxBulkMessageSize: MAX_BULK } }]
})

const get = async path => {
  const answer = await fetch(`http://${server.url}${path}`)
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', body: await answer.text() }
}

/** A hand-made WebSocket, logged in when `loggedIn`. */
async function upgraded (loggedIn) {
  const tcp = await server.tcp()
  assert.equal(await tcp.upgrade(), 101)
  if (loggedIn) for (const message of [connection('CHALLENGE'), auth('REQUEST', { data: '{}' })]) tcp.write(frame(encode(message)))
  return tcp
}

test('the health check answers with an empty JSON body', async () => {
  const { status, type, body } = await get('/health-check')
  assert.equal(status, 200)
  assert.match(type, /^application\/json/)
  assert.equal(body, '')
})

test('a plain GET of the WebSocket path is refused', async () => {
  assert.ok([404, 426].includes((await get('/deepstream')).status))
})

for (const path of ['/', '/deepstreams', '/deepstream/', '/Deepstream', '/x/deepstream', '/deepstream%2f']) {
  test(`an upgrade of ${path} is answered with 404`, async () => {
    const tcp = await server.tcp()
    assert.equal(await tcp.upgrade(path), 404)
  })
}

test('the query of the path is ignored', async () => {
  const raw = await Raw.open(`ws://${server.url}/deepstream?token=a/b&x`)
  await raw.challenge()
  raw.destroy()
  const client = await server.login('alice', {}, { url: `ws://${server.url}?x=1` })
  assert.equal(client.getConnectionState(), 'OPEN')
})

for (const loggedIn of [false, true]) {
  const when = loggedIn ? 'after' : 'before'

  test(`a text frame ${when} the login closes with 1003`, async () => {
    const tcp = await upgraded(loggedIn)
    tcp.write(frame(encode(PING), { opcode: TEXT }))
    assert.equal(await tcp.closeCode(), 1003)
  })

  test(`an unmasked frame ${when} the login closes with 1002`, async () => {
    const tcp = await upgraded(loggedIn)
    tcp.write(frame(encode(PING), { masked: false }))
    assert.equal(await tcp.closeCode(), 1002)
  })

  test(`a frame announced too large ${when} the login closes with 1009 from its header alone`, async () => {
    const tcp = await upgraded(loggedIn)
    tcp.write(frame(Buffer.alloc(0), { declared: (loggedIn ? MAX_BULK : MAX) + 1_024 }))
    assert.equal(await tcp.closeCode(), 1009)
  })

  test(`a frame announced larger than memory ${when} the login closes with 1009`, async () => {
    const tcp = await upgraded(loggedIn)
    tcp.write(frame(Buffer.alloc(0), { declared: Number.MAX_SAFE_INTEGER }))
    assert.equal(await tcp.closeCode(), 1009)
  })
}

test('a message of nearly the maximum size passes, a larger one closes with 1009', async () => {
  const raw = await server.raw()
  await raw.request(event('SUBSCRIBE', { names: ['big'] }), event('SUBSCRIBE', { isAck: true }))
  const sender = await server.raw()
  const data = JSON.stringify('x'.repeat(MAX - 64))
  await sender.request(event('EMIT', { name: 'big', data }))
  await raw.expect(event('EMIT', { name: 'big', data }))
  sender.send(event('EMIT', { name: 'big', data: JSON.stringify('x'.repeat(MAX)) }))
  assert.equal(await sender.closed(), 1009)
  await raw.settled()
})

test('a list of names may be larger than other messages', async () => {
  const names = Array.from({ length: 8_000 }, (_, i) => `name/${i}/0123456789`)
  const raw = await server.raw()
  assert.ok(encode(event('SUBSCRIBE', { names })).length > MAX)
  await raw.request(event('SUBSCRIBE', { names }), event('SUBSCRIBE', { isAck: true }))
})

test('fragments are put together, also around a control frame', async () => {
  const raw = await server.raw()
  const bytes = encode(PING)
  raw.sendFragments(bytes.subarray(0, 3), bytes.subarray(3, 4), bytes.subarray(4))
  await raw.expect(PONG)
})

test('WebSocket pings are answered', async () => {
  const raw = await server.raw('P1')
  await raw.ping()
})
