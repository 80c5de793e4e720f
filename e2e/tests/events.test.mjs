import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { event, EVENT_ACTION } from '../lib/raw.mjs'
import { eventually } from '../lib/wait.mjs'

const server = await serve()

const ack = (action, correlationId) => event(action, { isAck: true, ...(correlationId && { correlationId }) })
const repeated = name => event('MULTIPLE_SUBSCRIPTIONS', { name, originalAction: EVENT_ACTION.SUBSCRIBE })

/** Subscribes an official client and collects what it gets. */
async function collect (client, ...names) {
  const got = []
  for (const name of names) client.event.subscribe(name, data => got.push([name, data]))
  await settled(client)
  return got
}

test('every subscriber gets an event once, its emitter only its own local call', async () => {
  const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map(name => server.login(name)))
  const [a, b, c] = [await collect(alice, 'greet'), await collect(bob, 'greet'), await collect(carol, 'greet')]
  alice.event.emit('greet', 1)
  await eventually('delivery', () => b.length && c.length)
  bob.event.emit('greet', 2) // reaches alice after an echo of the first would have
  await eventually('delivery', () => a.length === 2 && c.length === 2)
  for (const got of [a, b, c]) assert.deepEqual(got, [['greet', 1], ['greet', 2]])
})

test('another connection of the same user is a subscriber like any other', async () => {
  const [first, second] = [await server.login('twin'), await server.login('twin')]
  const got = await collect(second, 'mine')
  first.event.emit('mine', 'data')
  await eventually('delivery', () => got.length)
})

test('payloads of every JSON type arrive as they were sent', async () => {
  const payloads = [
    undefined, null, true, false, 0, -1.5, 1e21, Number.MAX_SAFE_INTEGER, '', 'text', 'Grüße 日本 🚀 \u2028 \u0000', '\ud800',
    [], [1, [2, null]], {}, { b: 1, a: { c: [{}] } }, { 'ключ 🔑': '"quoted\\"' }, 'x'.repeat(100_000)
  ]
  const [sender, receiver] = [await server.login('sender'), await server.login('receiver')]
  const got = await collect(receiver, 'any')
  payloads.forEach(payload => sender.event.emit('any', payload))
  await eventually('delivery', () => got.length === payloads.length)
  assert.deepEqual(got.map(([, data]) => data), payloads)
  assert.equal(JSON.stringify(got[15][1]), JSON.stringify(payloads[15]), 'key order')
})

test('names are compared byte for byte', async () => {
  const names = ['case', 'Case', 'case ', 'é', 'e\u0301', '日本/🚀', 'a/b?c=d#e', '*', '.*', '__proto__', 'n'.repeat(200)]
  const [sender, receiver] = [await server.login('sender'), await server.login('receiver')]
  const got = await collect(receiver, ...names)
  names.forEach((name, i) => sender.event.emit(name, i))
  await eventually('delivery', () => got.length >= names.length)
  assert.deepEqual(got, names.map((name, i) => [name, i]))
})

test('one sender\'s events keep their order, across names too', async () => {
  const [sender, receiver] = [await server.login('sender'), await server.login('receiver')]
  const got = await collect(receiver, 'o/0', 'o/1', 'o/2')
  const sent = Array.from({ length: 3_000 }, (_, i) => [`o/${i % 3}`, i])
  for (const [name, data] of sent) sender.event.emit(name, data)
  await eventually('delivery', () => got.length === sent.length)
  assert.deepEqual(got, sent)
})

test('after an unsubscribe nothing more arrives', async () => {
  const [sender, receiver] = [await server.login('sender'), await server.raw()]
  await receiver.request(event('SUBSCRIBE', { names: ['gone', 'kept'], correlationId: '0' }), ack('SUBSCRIBE', '0'))
  await receiver.request(event('UNSUBSCRIBE', { names: ['gone'], correlationId: '0' }), ack('UNSUBSCRIBE', '0'))
  sender.event.emit('gone', 1)
  sender.event.emit('kept', 2)
  await receiver.expect(event('EMIT', { name: 'kept', data: '2' }))
})

test('the official client can unsubscribe and subscribe again', async () => {
  const [sender, receiver] = [await server.login('sender'), await server.login('receiver')]
  const got = []
  const callback = data => got.push(data)
  for (const round of [1, 2]) {
    receiver.event.subscribe('again', callback)
    await settled(receiver)
    sender.event.emit('again', round)
    await eventually('delivery', () => got.length === round)
    receiver.event.unsubscribe('again', callback)
    await settled(receiver)
    sender.event.emit('again', 'unheard')
    await settled(sender)
  }
  await settled(receiver)
  assert.deepEqual(got, [1, 2])
})

test('acknowledgements repeat the correlation id and nothing else', async () => {
  const raw = await server.raw()
  await raw.request(event('SUBSCRIBE', { names: ['x', 'y'], correlationId: 'c' }), ack('SUBSCRIBE', 'c'))
  await raw.request(event('SUBSCRIBE', { names: ['z'] }), ack('SUBSCRIBE'))
  await raw.request(event('UNSUBSCRIBE', { names: ['x'], correlationId: 'd' }), ack('UNSUBSCRIBE', 'd'))
  await raw.request(event('UNSUBSCRIBE', { names: ['x', 'never'] }), ack('UNSUBSCRIBE'))
})

test('a repeated name is reported before the acknowledgement', async () => {
  const raw = await server.raw()
  await raw.request(event('SUBSCRIBE', { names: ['twice', 'twice'], correlationId: '0' }), repeated('twice'), ack('SUBSCRIBE', '0'))
  await raw.request(event('SUBSCRIBE', { names: ['once', 'twice'], correlationId: '1' }), repeated('twice'), ack('SUBSCRIBE', '1'))
})

test('a subscription without names is acknowledged and subscribes nothing', async () => {
  const [raw, sender] = [await server.raw(), await server.raw()]
  await raw.request(event('SUBSCRIBE', { correlationId: '0' }), ack('SUBSCRIBE', '0'))
  await raw.request(event('SUBSCRIBE', { name: 'single', correlationId: '1' }), ack('SUBSCRIBE', '1'))
  await sender.request(event('EMIT', { name: 'single', data: '1' }))
  await raw.settled()
})

test('an event has a name and perhaps data; everything else a sender adds is dropped', async () => {
  const [raw, sender] = [await server.raw(), await server.raw()]
  await raw.request(event('SUBSCRIBE', { names: ['clean'] }), ack('SUBSCRIBE'))
  await sender.request(event('EMIT', {
    name: 'clean', data: '{ "spaced" : 1.0 }', correlationId: 'forged', names: ['other'], subscription: 'forged', isAck: true, isError: true,
    originalTOPIC: 5, originalAction: 9
  }))
  await sender.request(event('EMIT', { name: 'clean' }))
  await raw.expect(event('EMIT', { name: 'clean', data: '{ "spaced" : 1.0 }' }), event('EMIT', { name: 'clean' }))
})

test('an event without a name has no effect', async () => {
  const raw = await server.raw()
  await raw.request(event('EMIT', { data: '1' }))
  await raw.request(event('EMIT', { name: '', data: '1' }))
})

for (const data of ['', '{', 'undefined', '{"a":1}}', '\'a\'', '01', '[1,]', 'NaN', '"\n"', ' ']) {
  test(`data ${JSON.stringify(data)} is no JSON: told to the sender, kept from subscribers`, async () => {
    const [raw, sender] = [await server.raw(), await server.raw()]
    await raw.request(event('SUBSCRIBE', { names: ['strict'] }), ack('SUBSCRIBE'))
    await sender.request(event('EMIT', { name: 'strict', data }),
      event('INVALID_MESSAGE_DATA', { name: 'strict', originalAction: EVENT_ACTION.EMIT, isError: true }))
    await sender.request(event('EMIT', { name: 'strict', data: '"fine"' }))
    await raw.expect(event('EMIT', { name: 'strict', data: '"fine"' }))
  })
}

test('100,000 names in one frame: one acknowledgement, every name subscribed', async () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `bulk/${String(i).padStart(8, '0')}`)
  const [raw, sender] = [await server.raw(), await server.raw()]
  await raw.request(event('SUBSCRIBE', { names, correlationId: '0' }), ack('SUBSCRIBE', '0'))
  for (const name of [names[0], names[50_000], names.at(-1)]) {
    await sender.request(event('EMIT', { name }))
    await raw.expect(event('EMIT', { name }))
  }
  await raw.request(event('UNSUBSCRIBE', { names, correlationId: '0' }), ack('UNSUBSCRIBE', '0'))
  await sender.request(event('EMIT', { name: names[7] }))
  await raw.settled()
})

test('the official client subscribes to 100,000 names at once', async () => {
  const [sender, receiver] = [await server.login('sender'), await server.login('receiver', {
    subscriptionInterval: 10, subscriptionTimeout: 20_000
  })]
  let last
  for (let i = 0; i < 100_000; i++) receiver.event.subscribe(`bulk-client/${i}`, data => { last = data })
  await eventually('delivery', () => {
    sender.event.emit('bulk-client/99999', 'there')
    return last === 'there'
  })
})
