import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { event } from '../lib/raw.mjs'
import { eventually, never } from '../lib/wait.mjs'

const TIMEOUT = 2_000
const server = await serve({ listen: { responseTimeout: TIMEOUT, shuffleProviders: false } })

const found = (name, subscription) => event('SUBSCRIPTION_FOR_PATTERN_FOUND', { name, subscription })
const removed = (name, subscription) => event('SUBSCRIPTION_FOR_PATTERN_REMOVED', { name, subscription })
const accept = (name, subscription) => event('LISTEN_ACCEPT', { name, subscription })
const reject = (name, subscription) => event('LISTEN_REJECT', { name, subscription })
const ack = (action, name) => event(action, { name, isAck: true })

/** A raw connection that listens to `pattern`. */
async function listener (pattern) {
  const raw = await server.raw()
  await raw.ask(event('LISTEN', { name: pattern }), ack('LISTEN', pattern))
  return raw
}

/** A raw connection that subscribes to `name`. */
async function subscriber (name) {
  const raw = await server.raw()
  await raw.request(event('SUBSCRIBE', { names: [name], correlationId: '0' }), event('SUBSCRIBE', { isAck: true, correlationId: '0' }))
  return raw
}

/** Unsubscribes, and so ends the provision if it was the last. */
const leave = (raw, name) =>
  raw.request(event('UNSUBSCRIBE', { names: [name], correlationId: '1' }), event('UNSUBSCRIBE', { isAck: true, correlationId: '1' }))

test('the official client provides what others subscribe to, until the last one leaves', async () => {
  const provider = await server.login('provider')
  const calls = []
  provider.event.listen('^weather/', (name, response) => {
    calls.push(`start ${name}`)
    response.onStop(stopped => calls.push(`stop ${stopped}`))
    response.accept()
    provider.event.emit(name, 'sunny')
  })
  await settled(provider)
  const [one, two] = [await server.login('one'), await server.login('two')]
  const got = []
  const callback = data => got.push(data)
  one.event.subscribe('weather/berlin', callback)
  await eventually('delivery', () => got.length)
  two.event.subscribe('weather/berlin', callback)
  await settled(two)
  one.event.unsubscribe('weather/berlin', callback)
  await settled(one)
  await never('stop: two is still there', () => calls.length > 1)
  two.event.unsubscribe('weather/berlin', callback)
  await eventually('stop', () => calls.length === 2)
  assert.deepEqual(calls, ['start weather/berlin', 'stop weather/berlin'])
  one.event.subscribe('weather/berlin', callback)
  await eventually('second start', () => calls.length === 3)
})

test('asking and stopping carry pattern and subscription only', async () => {
  const provider = await listener('^exact/')
  const one = await subscriber('exact/1')
  await provider.expect(found('^exact/', 'exact/1'))
  await provider.ask(accept('^exact/', 'exact/1'))
  await leave(one, 'exact/1')
  await provider.expect(removed('^exact/', 'exact/1'))
  await provider.quiet()
})

test('the acknowledgement repeats a correlation id only if there was one', async () => {
  const raw = await server.raw()
  await raw.ask(event('LISTEN', { name: 'c', correlationId: '7' }), event('LISTEN', { name: 'c', isAck: true, correlationId: '7' }))
  await raw.ask(event('UNLISTEN', { name: 'c' }), ack('UNLISTEN', 'c'))
  await raw.ask(event('UNLISTEN', { name: 'c' }), ack('UNLISTEN', 'c'))
})

test('existing subscriptions are offered to a new listener', async () => {
  await subscriber('old/1')
  await subscriber('old/2')
  const provider = await server.raw()
  provider.send(event('LISTEN', { name: '^old/' }))
  const messages = [await provider.next(), await provider.next(), await provider.next()]
  const [acks, offers] = [messages.filter(m => m.isAck), messages.filter(m => !m.isAck)]
  assert.deepEqual(acks, [ack('LISTEN', '^old/')])
  assert.deepEqual(offers.sort((a, b) => a.subscription < b.subscription ? -1 : 1), [found('^old/', 'old/1'), found('^old/', 'old/2')])
})

test('a further subscriber of something provided triggers nothing', async () => {
  const provider = await listener('^further/')
  await subscriber('further/1')
  await provider.expect(found('^further/', 'further/1'))
  await provider.ask(accept('^further/', 'further/1'))
  await subscriber('further/1')
  await provider.quiet()
})

for (const [pattern, hit, miss] of [
  ['a', 'xay', 'xyz'], // unanchored
  ['^user/\\d+$', 'user/42', 'user/42/x'],
  ['^(?:north|south)/[^/]+/temp$', 'north/1/temp', 'east/1/temp'],
  ['news/*', 'news', 'new'], // any number of slashes, none included
  ['^\\w{3}\\s\\u00e9$', 'abc é', 'abc e'],
  ['^(?<year>\\d{4})-', '2024-x', '24-x'],
]) {
  test(`pattern ${pattern} means what it means in JavaScript`, async () => {
    assert.ok(new RegExp(pattern).test(hit) && !new RegExp(pattern).test(miss))
    const provider = await listener(pattern)
    await subscriber(miss)
    await subscriber(hit)
    await provider.expect(found(pattern, hit))
    await provider.ask(reject(pattern, hit))
  })
}

test('candidates are asked one after the other, in order of registration', async () => {
  const [first, second] = [await listener('^order/'), await listener('^order/1')]
  await subscriber('order/1')
  await first.expect(found('^order/', 'order/1'))
  await second.quiet()
  await first.ask(reject('^order/', 'order/1'))
  await second.expect(found('^order/1', 'order/1'))
  await second.ask(accept('^order/1', 'order/1'))
  await first.quiet()
})

test('two patterns of one connection are two candidates', async () => {
  const both = await listener('^pair/')
  await both.ask(event('LISTEN', { name: 'pair/1$' }), ack('LISTEN', 'pair/1$'))
  await subscriber('pair/1')
  await both.expect(found('^pair/', 'pair/1'))
  await both.ask(reject('^pair/', 'pair/1'), found('pair/1$', 'pair/1'))
  await both.ask(accept('pair/1$', 'pair/1'))
})

test('a connection may provide what it subscribes to', async () => {
  const self = await listener('^self/')
  self.send(event('SUBSCRIBE', { names: ['self/1'], correlationId: '0' }))
  const messages = [await self.next(), await self.next()] // in either order
  assert.deepEqual(messages.sort((a, b) => a.action - b.action),
    [event('SUBSCRIBE', { isAck: true, correlationId: '0' }), found('^self/', 'self/1')])
})

test('a candidate that does not answer is told so and passed over', async () => {
  const [silent, next] = [await listener('^silent/'), await listener('^silent/.')]
  const since = Date.now()
  await subscriber('silent/1')
  await silent.expect(found('^silent/', 'silent/1'))
  await next.expect(found('^silent/.', 'silent/1'))
  assert.ok(Date.now() - since >= TIMEOUT - 100, 'not before its time is up')
  await silent.expect(event('LISTEN_RESPONSE_TIMEOUT', { subscription: 'silent/1' }))
  await next.ask(accept('^silent/.', 'silent/1'))
  await silent.ask(accept('^silent/', 'silent/1'), removed('^silent/', 'silent/1'))
  await next.quiet()
})

test('a candidate that vanishes while asked is passed over at once', async () => {
  const [gone, next] = [await listener('^gone/'), await listener('^gone/.')]
  await subscriber('gone/1')
  await gone.expect(found('^gone/', 'gone/1'))
  const since = Date.now()
  gone.destroy()
  await next.expect(found('^gone/.', 'gone/1'))
  assert.ok(Date.now() - since < TIMEOUT / 2, 'without waiting for the timer')
})

test('when the provider vanishes the next listener is asked', async () => {
  const [provider, heir] = [await listener('^heir/'), await listener('^heir/.')]
  await subscriber('heir/1')
  await provider.expect(found('^heir/', 'heir/1'))
  await provider.ask(accept('^heir/', 'heir/1'))
  provider.destroy()
  await heir.expect(found('^heir/.', 'heir/1'))
  await heir.ask(accept('^heir/.', 'heir/1'))
})

test('when the provider stops listening the next listener is asked', async () => {
  const [provider, heir] = [await listener('^stop/'), await listener('^stop/.')]
  await subscriber('stop/1')
  await provider.expect(found('^stop/', 'stop/1'))
  await provider.ask(accept('^stop/', 'stop/1'))
  provider.send(event('UNLISTEN', { name: '^stop/' }))
  await eventually('acknowledgement', async () => (await provider.next()).isAck)
  await heir.expect(found('^stop/.', 'stop/1'))
})

test('when the last subscriber\'s socket ends the provider is stopped', async () => {
  const provider = await listener('^socket/')
  const one = await subscriber('socket/1')
  await provider.expect(found('^socket/', 'socket/1'))
  await provider.ask(accept('^socket/', 'socket/1'))
  one.destroy()
  await provider.expect(removed('^socket/', 'socket/1'))
})

test('accepting what nobody subscribes to any more is answered with a stop', async () => {
  const provider = await listener('^lost/')
  const one = await subscriber('lost/1')
  await provider.expect(found('^lost/', 'lost/1'))
  await leave(one, 'lost/1')
  await provider.ask(accept('^lost/', 'lost/1'), removed('^lost/', 'lost/1'))
  await subscriber('lost/1')
  await provider.expect(found('^lost/', 'lost/1'))
})

test('a stranger cannot accept in place of the one who is asked', async () => {
  const [asked, stranger] = [await listener('^guard/'), await server.raw()]
  const one = await subscriber('guard/1')
  await asked.expect(found('^guard/', 'guard/1'))
  await stranger.ask(accept('^guard/', 'guard/1'), removed('^guard/', 'guard/1'))
  await asked.ask(accept('^guard/', 'guard/1'))
  await leave(one, 'guard/1')
  await asked.expect(removed('^guard/', 'guard/1'))
  await stranger.quiet()
})

for (const pattern of ['[', '(', 'a**', '(?<n', '\\']) {
  test(`pattern ${pattern} is invalid and registers nothing`, async () => {
    const raw = await server.raw()
    raw.send(event('LISTEN', { name: pattern }))
    const { isError, ...reply } = await raw.next() // isError is optional here
    assert.deepEqual(reply, event('INVALID_LISTEN_REGEX', { name: pattern }))
    await raw.settled()
  })
}

test('the official client learns that its pattern is invalid', async () => {
  const client = await server.login('careless')
  client.event.listen('[', () => {})
  await eventually('error event', () => client.errors.length)
  assert.deepEqual(client.errors.splice(0), ['EVENT INVALID_LISTEN_REGEX'])
})

test('an absent pattern is invalid', async () => {
  const raw = await server.raw()
  raw.send(event('LISTEN'))
  const { topic, action } = await raw.next()
  assert.deepEqual({ topic, action }, event('INVALID_LISTEN_REGEX'))
  await raw.settled()
})

test('a repeated LISTEN is acknowledged and counts once', async () => {
  const raw = await listener('^repeat/')
  await raw.ask(event('LISTEN', { name: '^repeat/' }), ack('LISTEN', '^repeat/'))
  await subscriber('repeat/1')
  await raw.expect(found('^repeat/', 'repeat/1'))
  await raw.ask(reject('^repeat/', 'repeat/1'))
  await raw.quiet()
  await raw.ask(event('UNLISTEN', { name: '^repeat/' }), ack('UNLISTEN', '^repeat/'))
  await subscriber('repeat/2')
  await raw.quiet()
})
