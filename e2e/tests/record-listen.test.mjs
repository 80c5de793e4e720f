// Providing records on demand: the provider's side and what subscribers learn of it. Patterns and the order in which
// candidates are asked are the same as for events and tested there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { head, open, store, subscribe } from '../lib/record.mjs'
import { serve, settled } from '../lib/server.mjs'
import { record } from '../lib/raw.mjs'
import { eventually, never, within } from '../lib/wait.mjs'

const TIMEOUT = 2_000
const server = await serve({ listen: { responseTimeout: TIMEOUT, shuffleProviders: false } })

const found = (name, subscription) => record('SUBSCRIPTION_FOR_PATTERN_FOUND', { name, subscription })
const removed = (name, subscription) => record('SUBSCRIPTION_FOR_PATTERN_REMOVED', { name, subscription })
const accept = (name, subscription) => record('LISTEN_ACCEPT', { name, subscription })
const reject = (name, subscription) => record('LISTEN_REJECT', { name, subscription })
const provided = name => record('SUBSCRIPTION_HAS_PROVIDER', { name })
const unprovided = name => record('SUBSCRIPTION_HAS_NO_PROVIDER', { name })
const listenAck = (action, name) => record(action, { name, isAck: true })
const unsubscribe = name => record('UNSUBSCRIBE', { names: [name], correlationId: name })
const unsubscribed = name => record('UNSUBSCRIBE', { isAck: true, correlationId: name })

/** A raw connection that listens to `pattern`. */
async function listener (pattern) {
  const raw = await server.raw()
  await raw.ask(record('LISTEN', { name: pattern }), listenAck('LISTEN', pattern))
  return raw
}

/** A raw connection that subscribes to `name`, which nobody provides. */
const subscriber = async name => subscribe(await server.raw(), name)

/** A subscriber of `name` and its provider, who has accepted. */
async function provision (pattern, name) {
  const provider = await listener(pattern)
  const one = await subscriber(name)
  await provider.expect(found(pattern, name))
  await provider.ask(accept(pattern, name))
  await one.expect(provided(name))
  return [provider, one]
}

test('the official client provides while somebody subscribes, and subscribers know', async () => {
  const [provider, one, two] = [await server.login('provider'), await server.login('one', { recordDiscardTimeout: 20 }),
    await server.login('two', { recordDiscardTimeout: 20 })]
  const calls = []
  provider.record.listen('^weather/', (name, response) => {
    calls.push(`start ${name}`)
    response.onStop(stopped => calls.push(`stop ${stopped}`))
    response.accept()
    provider.record.setData(name, { sky: 'blue' })
  })
  await settled(provider)
  const ours = await open(one, 'weather/berlin')
  const changes = []
  ours.record.on('hasProviderChanged', has => changes.push(has)) // a record does not pass this event of its core on
  await eventually('data and state', () => ours.get('sky') === 'blue' && ours.hasProvider)
  const theirs = await open(two, 'weather/berlin')
  assert.deepEqual([theirs.get(), theirs.hasProvider], [{ sky: 'blue' }, true])
  ours.discard()
  await eventually('discard', () => one.record.names().length === 0)
  await never('stop: two is still there', () => calls.length > 1)
  theirs.discard()
  await eventually('stop', () => calls.length === 2)
  assert.deepEqual(calls, ['start weather/berlin', 'stop weather/berlin'])
  assert.ok(changes.every(has => has === true))
  await open(one, 'weather/berlin')
  await eventually('second start', () => calls.length === 3)
})

test('when the official provider stops listening or closes, the next one takes over', async () => {
  const providers = [await server.login('first'), await server.login('second'), await server.login('third')]
  const started = []
  for (const [i, provider] of providers.entries()) {
    provider.record.listen('^relay/', (name, response) => { started.push(i); response.accept() })
    await settled(provider)
  }
  const ours = await open(await server.login('subscriber'), 'relay/1')
  const changes = []
  ours.record.on('hasProviderChanged', has => changes.push(has)) // a record does not pass this event of its core on
  await eventually('first', () => ours.hasProvider)
  const base = changes.length
  const since = count => changes.length === base + count
  providers[0].record.unlisten('^relay/')
  await eventually('second', () => started.length === 2 && since(2))
  providers[1].close()
  await eventually('third', () => started.length === 3 && since(4))
  providers[2].close()
  await eventually('none', () => since(5))
  assert.deepEqual(started, [0, 1, 2])
  assert.deepEqual(changes.slice(-5), [false, true, false, true, false])
})

test('a provider that refuses leaves the record unprovided', async () => {
  const provider = await server.login('refuses')
  const asked = []
  provider.record.listen('^refused/', (name, response) => { asked.push(name); response.reject() })
  await settled(provider)
  const ours = await open(await server.login('subscriber'), 'refused/1')
  await eventually('question', () => asked.length === 1)
  await never('a provider', () => ours.hasProvider)
})

test('asking, stopping and telling carry these fields only', async () => {
  const [provider, one] = await provision('^exact/', 'exact/1')
  await one.ask(unsubscribe('exact/1'), unsubscribed('exact/1'))
  await provider.expect(removed('^exact/', 'exact/1'))
  await provider.quiet()
})

test('who subscribes to what is provided is told so before the snapshot', async () => {
  const [provider] = await provision('^known/', 'known/1')
  const late = await server.raw()
  const request = record('SUBSCRIBECREATEANDREAD', { names: ['known/1'], correlationId: '1' })
  await late.ask(request, { ...request, isAck: true }, provided('known/1'), record('READ_RESPONSE', { name: 'known/1', version: 0, data: '{}' }))
  await provider.quiet()
})

test('who subscribes to what nobody provides is told nothing of it', async () => {
  await (await subscriber('nobody/1')).quiet()
})

test('SUBSCRIBE and SUBSCRIBEANDHEAD are told of the provider before they are acknowledged', async () => {
  await provision('^bulk/', 'bulk/1')
  for (const action of ['SUBSCRIBE', 'SUBSCRIBEANDHEAD']) {
    const raw = await server.raw()
    raw.send(record(action, { names: ['bulk/1'], correlationId: '1' }))
    const replies = []
    do replies.push(await raw.next()); while (!replies.at(-1).isAck)
    assert.ok(replies.some(reply => reply.action === provided('bulk/1').action && reply.name === 'bulk/1'), action)
  }
})

for (const action of ['SUBSCRIBE', 'SUBSCRIBEANDREAD', 'SUBSCRIBEANDHEAD', 'SUBSCRIBECREATEANDREAD']) {
  test(`${action} counts as a subscription, reading and writing do not`, async () => {
    const [pattern, name] = [`^count/${action}$`, `count/${action}`]
    const [provider, raw] = [await listener(pattern), await server.raw()]
    await store(raw, name, {})
    await head(raw, name, 1)
    await raw.ask(record('READ', { name }), record('READ_RESPONSE', { name, version: 1, data: '{}' }))
    await provider.quiet()
    raw.send(record(action, { names: [name], correlationId: '1' }))
    await provider.expect(found(pattern, name))
  })
}

test('existing subscriptions are offered to a new listener', async () => {
  await subscriber('old/1')
  await subscriber('old/2')
  const provider = await server.raw()
  provider.send(record('LISTEN', { name: '^old/' }))
  const messages = [await provider.next(), await provider.next(), await provider.next()]
  const [acks, offers] = [messages.filter(m => m.isAck), messages.filter(m => !m.isAck)]
  assert.deepEqual(acks, [listenAck('LISTEN', '^old/')])
  assert.deepEqual(offers.sort((a, b) => a.subscription < b.subscription ? -1 : 1), [found('^old/', 'old/1'), found('^old/', 'old/2')])
})

test('when the provider stops listening subscribers are told, and the next listener is asked', async () => {
  const [provider, one] = await provision('^heir/', 'heir/1')
  const heir = await server.raw()
  await heir.ask(record('LISTEN', { name: '^heir/.' }), listenAck('LISTEN', '^heir/.'))
  await provider.ask(record('UNLISTEN', { name: '^heir/' }), listenAck('UNLISTEN', '^heir/'))
  await one.expect(unprovided('heir/1'))
  await heir.expect(found('^heir/.', 'heir/1'))
  await heir.ask(accept('^heir/.', 'heir/1'))
  await one.expect(provided('heir/1'))
  heir.destroy()
  await one.expect(unprovided('heir/1'))
  await provider.quiet()
})

test('who rejects is passed over, who does not answer is told so', async () => {
  const [first, silent, last] = [await listener('^row/'), await listener('^row/.'), await listener('row/1')]
  const one = await subscriber('row/1')
  await first.expect(found('^row/', 'row/1'))
  await first.ask(reject('^row/', 'row/1'))
  const since = Date.now()
  await silent.expect(found('^row/.', 'row/1'), record('LISTEN_RESPONSE_TIMEOUT', { subscription: 'row/1' }))
  assert.ok(Date.now() - since >= TIMEOUT - 100, 'not before its time is up')
  await last.expect(found('row/1', 'row/1'))
  await last.ask(accept('row/1', 'row/1'))
  await one.expect(provided('row/1'))
  await silent.ask(accept('^row/.', 'row/1'), removed('^row/.', 'row/1'))
})

test('when the last subscriber\'s socket ends the provider is stopped', async () => {
  const [provider, one] = await provision('^socket/', 'socket/1')
  one.destroy()
  await provider.expect(removed('^socket/', 'socket/1'))
})

test('a delete ends the subscriptions, and so the provision', async () => {
  const [provider, one] = await provision('^deleted/', 'deleted/1')
  const other = await server.raw()
  await other.ask(record('DELETE', { name: 'deleted/1' }), record('DELETE_SUCCESS', { name: 'deleted/1' }))
  await one.expect(record('DELETED', { name: 'deleted/1' }))
  await provider.expect(removed('^deleted/', 'deleted/1'))
  await subscriber('deleted/1')
  await provider.expect(found('^deleted/', 'deleted/1'))
})

test('accepting what nobody subscribes to any more is answered with a stop', async () => {
  const provider = await listener('^lost/')
  const one = await subscriber('lost/1')
  await provider.expect(found('^lost/', 'lost/1'))
  await one.ask(unsubscribe('lost/1'), unsubscribed('lost/1'))
  await provider.ask(accept('^lost/', 'lost/1'), removed('^lost/', 'lost/1'))
})

test('a provider\'s own subscription counts like any other', async () => {
  const [provider, one] = await provision('^self/', 'self/1')
  const request = record('SUBSCRIBECREATEANDREAD', { names: ['self/1'], correlationId: '1' })
  await provider.ask(request, { ...request, isAck: true }, provided('self/1'), record('READ_RESPONSE', { name: 'self/1', version: 0, data: '{}' }))
  await one.ask(unsubscribe('self/1'), unsubscribed('self/1'))
  await provider.quiet()
  provider.send(unsubscribe('self/1'))
  const replies = [await provider.next(), await provider.next()] // in either order
  assert.deepEqual(replies.sort((a, b) => a.action - b.action), [unsubscribed('self/1'), removed('^self/', 'self/1')])
})

test('patterns of records and of events do not mix', async () => {
  const provider = await listener('^apart/')
  const client = await server.login('apart')
  client.event.subscribe('apart/1', () => {})
  await settled(client)
  await provider.quiet()
})

test('an invalid pattern registers nothing, and the official client learns of it', async () => {
  const raw = await server.raw()
  raw.send(record('LISTEN', { name: '[' }))
  const { isError, ...reply } = await raw.next() // isError is optional here
  assert.deepEqual(reply, record('INVALID_LISTEN_REGEX', { name: '[' }))
  const client = await server.login('careless')
  client.record.listen('[', () => {})
  await eventually('error event', () => client.errors.length)
  assert.equal(client.errors.splice(0).length, 1)
})

test('10 names provided to 10 subscribers, all stopped at once', async () => {
  const provider = await server.login('provider')
  const [started, stopped] = [new Set(), new Set()]
  provider.record.listen('^fleet/', (name, response) => {
    started.add(name)
    response.onStop(subscription => stopped.add(subscription))
    response.accept()
    provider.record.setData(name, { name })
  })
  await settled(provider)
  const names = Array.from({ length: 10 }, (_, i) => `fleet/${i}`)
  const clients = await Promise.all(names.map((_, i) => server.login(`watcher/${i}`)))
  const records = await Promise.all(clients.flatMap(client => names.map(name => open(client, name))))
  await within('data everywhere', eventually('data', () => records.every(one => one.get('name') === one.name && one.hasProvider)))
  assert.equal(started.size, 10)
  clients.forEach(client => client.close())
  await eventually('all stopped', () => stopped.size === 10)
})
