// Records with the official client: what one writes, others get, and a fresh client finds.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { failure, open, provoked } from '../lib/record.mjs'
import { serve, settled } from '../lib/server.mjs'
import { eventually, never, within } from '../lib/wait.mjs'

const server = await serve()

/** Two clients with the same record open. */
async function pair (name, options) {
  const clients = [await server.login('alice', options), await server.login('bob', options)]
  return [await open(clients[0], name), await open(clients[1], name), ...clients]
}

const stored = (client, name) => within(`snapshot of ${name}`, client.record.snapshot(name))

test('a new record is empty, of version 0, and exists', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const ours = await open(alice, 'new')
  assert.deepEqual([ours.get(), ours.version], [{}, 0])
  assert.equal(await bob.record.has('new'), true)
  assert.equal(await bob.record.head('new'), 0)
  assert.deepEqual(await stored(bob, 'new'), {})
})

test('what does not exist has no snapshot, is at version -1, and stays missing', async () => {
  const client = await server.login('alice')
  assert.equal(await failure('snapshot', client.record.snapshot('none')), 'RECORD_NOT_FOUND')
  assert.equal(await within('head', client.record.head('none')), -1)
  assert.equal(await within('has', client.record.has('none')), false)
})

test('every write counts one version, and every subscriber gets it', async () => {
  const [ours, theirs, alice] = await pair('counted')
  const seen = []
  theirs.subscribe(data => seen.push(JSON.stringify(data)))
  ours.set({ a: 1 })
  ours.set('b', { c: [1, 2] })
  ours.set('b.c[1]', 9)
  ours.erase('a')
  ours.set('b.d', null)
  await eventually('all updates', () => theirs.version === 5)
  assert.deepEqual(seen, ['{"a":1}', '{"a":1,"b":{"c":[1,2]}}', '{"a":1,"b":{"c":[1,9]}}', '{"b":{"c":[1,9]}}', '{"b":{"c":[1,9],"d":null}}'])
  assert.deepEqual([ours.version, ours.get()], [5, theirs.get()])
  await settled(alice)
})

test('setting what is already there sends nothing', async () => {
  const [ours, theirs] = await pair('same')
  ours.set({ a: { b: 1 } })
  await eventually('update', () => theirs.version === 1)
  ours.set({ a: { b: 1 } })
  ours.set('a.b', 1)
  await within('success', ours.setWithAck('a', { b: 1 }))
  ours.set('last', true)
  await eventually('update', () => theirs.get('last'))
  assert.deepEqual([ours.version, theirs.version], [2, 2])
})

test('writes before the record is ready arrive as one update', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const early = alice.record.getRecord('early')
  early.set({ a: 1 })
  early.set('b', 2)
  const confirmed = early.setWithAck('c', 3)
  await within('confirmation', confirmed)
  const late = await open(bob, 'early')
  assert.deepEqual([late.get(), late.version], [{ a: 1, b: 2, c: 3 }, 1])
})

test('subscribers of a path hear of its changes only', async () => {
  const [ours, theirs] = await pair('paths')
  const seen = []
  theirs.subscribe('a.b', value => seen.push(value))
  ours.set({ a: { b: 1 }, c: 1 })
  ours.set('c', 2)
  ours.set('a.b', 2)
  ours.set('a.x', 1)
  ours.erase('a.b')
  await eventually('all updates', () => theirs.version === 5)
  assert.deepEqual(seen, [1, 2, undefined])
})

test('a confirmed write is what a fresh client reads', async () => {
  const alice = await server.login('alice')
  const ours = await open(alice, 'confirmed')
  await within('set', ours.setWithAck({ list: [1, 2, 3], gone: 1 }))
  await within('path', ours.setWithAck('list[1]', 'two'))
  await within('erase', ours.eraseWithAck('gone'))
  const bob = await server.login('bob')
  assert.deepEqual(await stored(bob, 'confirmed'), { list: [1, 'two', 3] })
  assert.equal(await within('head', bob.record.head('confirmed')), 3)
})

test('confirmations come to callbacks too, one for each of many writes in flight', async () => {
  const [ours] = await pair('callbacks')
  const results = []
  for (let i = 0; i < 100; i++) ours.setWithAck('n', i, error => results.push([error, i]))
  await eventually('all confirmations', () => results.length === 100)
  assert.deepEqual(results, Array.from({ length: 100 }, (_, i) => [null, i]))
})

test('values of every JSON type survive', async () => {
  const values = [
    null, true, false, 0, -1.5, 1e21, Number.MAX_SAFE_INTEGER, '', 'Grüße 日本 🚀 \u2028 \u0000', '\ud800', [], [[]], {},
    [1, [2, null, { b: 1, a: {} }]], { 10: 1, b: 2, 'ключ 🔑': '"quoted\\"', '': 0 }
  ]
  const [ours, theirs, , bob] = await pair('types')
  values.forEach((value, i) => ours.set(`v${i}`, value))
  await eventually('all updates', () => theirs.version === values.length)
  bob.close()
  const data = await stored(await server.login('carol'), 'types')
  for (const [i, value] of values.entries()) {
    assert.equal(JSON.stringify(theirs.get(`v${i}`)), JSON.stringify(value))
    assert.equal(JSON.stringify(data[`v${i}`]), JSON.stringify(value))
  }
})

test('key order is kept: nobody sees a change that is none', async () => {
  const [ours, theirs] = await pair('order')
  const text = '{"z":1,"a":{"y":[{"c":1,"b":2}],"x":0},"m":null}'
  ours.set(JSON.parse(text))
  ours.set('a.x', 1)
  ours.set('a.a', { q: 1, p: 2 })
  await eventually('all updates', () => theirs.version === 3)
  const expected = '{"z":1,"a":{"y":[{"c":1,"b":2}],"x":1,"a":{"q":1,"p":2}},"m":null}'
  assert.equal(JSON.stringify(theirs.get()), expected)
  assert.equal(JSON.stringify(await stored(await server.login('carol'), 'order')), expected)
})

test('a container takes the place of null', async () => {
  const [ours, theirs] = await pair('null')
  ours.set({ a: null, b: { c: null } })
  ours.set('a.x', 1)
  ours.set('b.c[1]', 2)
  await eventually('all updates', () => theirs.version === 3)
  assert.deepEqual(theirs.get(), { a: { x: 1 }, b: { c: [null, 2] } })
  assert.deepEqual(await stored(await server.login('carol'), 'null'), theirs.get())
})

test('setData creates, overwrites, patches and erases what is not open', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const theirs = await open(bob, 'set/open')
  await within('create', alice.record.setDataWithAck('set/new', { a: 1 }))
  assert.deepEqual([await alice.record.head('set/new'), await stored(alice, 'set/new')], [1, { a: 1 }])
  await within('overwrite', alice.record.setDataWithAck('set/new', { b: 1 }))
  await within('path', alice.record.setDataWithAck('set/new', 'c.d[1]', 2))
  await within('erase', alice.record.setDataWithAck('set/new', 'b', undefined))
  assert.deepEqual([await alice.record.head('set/new'), await stored(alice, 'set/new')], [4, { c: { d: [null, 2] } }])
  await within('create by path', alice.record.setDataWithAck('set/path', 'x.y', 1))
  assert.deepEqual([await alice.record.head('set/path'), await stored(alice, 'set/path')], [1, { x: { y: 1 } }])
  alice.record.setData('set/open', { a: 1 })
  alice.record.setData('set/open', 'b', 2)
  await eventually('updates', () => theirs.version === 2)
  assert.deepEqual(theirs.get(), { a: 1, b: 2 })
  theirs.set('c', 3) // the versions of both ways of writing are one
  await eventually('update', async () => (await stored(alice, 'set/open')).c === 3)
  provoked(alice)
})

test('erasing in what does not exist fails', async () => {
  const client = await server.login('alice')
  assert.equal(await failure('erase', client.record.setDataWithAck('erase/none', 'a', undefined)), 'RECORD_UPDATE_ERROR')
  assert.equal(await within('has', client.record.has('erase/none')), false)
})

test('setData of an open record goes through it', async () => {
  const [ours, theirs, alice] = await pair('set/mine')
  await within('confirmation', alice.record.setDataWithAck('set/mine', 'a', 1))
  assert.deepEqual([ours.version, ours.get()], [1, { a: 1 }])
  await eventually('update', () => theirs.version === 1)
})

test('a million bytes: written whole, patched, read, delivered', async () => {
  const [ours, theirs] = await pair('big')
  const data = { text: 'x'.repeat(500_000), rows: Array.from({ length: 20_000 }, (_, i) => ({ id: i, v: '1234' })) }
  data.fill = 'y'.repeat(1_000_000 - JSON.stringify(data).length - 10)
  assert.equal(JSON.stringify(data).length, 1_000_000)
  await within('confirmation', ours.setWithAck(data))
  await within('confirmation', ours.setWithAck('rows[19999].v', 'patched'))
  data.rows[19_999].v = 'patched'
  await eventually('updates', () => theirs.version === 2)
  const expected = JSON.stringify(data)
  assert.ok(JSON.stringify(theirs.get()) === expected, 'delivered')
  assert.ok(JSON.stringify(await stored(await server.login('carol'), 'big')) === expected, 'read')
})

test('a record may grow beyond what one message may hold', async () => {
  const [ours, theirs] = await pair('grown')
  for (let i = 0; i < 5; i++) await within('confirmation', ours.setWithAck(`part${i}`, String(i).repeat(500_000)))
  await eventually('updates', () => theirs.version === 5)
  const carol = await open(await server.login('carol'), 'grown')
  assert.deepEqual([carol.version, Object.keys(carol.get()), JSON.stringify(carol.get()).length > 2_500_000],
    [5, ['part0', 'part1', 'part2', 'part3', 'part4'], true])
})

test('10,000 records requested at once are all ready, and live', async () => {
  const [alice, bob] = [await server.login('alice', { subscriptionInterval: 20, subscriptionTimeout: 60_000 }), await server.login('bob')]
  const names = Array.from({ length: 10_000 }, (_, i) => `crowd/${i}`)
  const records = names.map(name => alice.record.getRecord(name))
  await within('all to be ready', Promise.all(records.map(one => one.whenReady())), 30_000)
  assert.ok(records.every(one => one.version === 0))
  for (const i of [0, 5_000, 9_999]) {
    bob.record.setData(names[i], { i })
    await eventually('update', () => records[i].get('i') === i)
  }
})

test('read-only mode reads, follows and neither creates nor writes, except under its prefixes', async () => {
  const [alice, bob] = [await server.login('alice', { recordReadOnlyMode: true, recordPrefixWriteWhitelist: ['mine/'] }), await server.login('bob')]
  await within('confirmation', bob.record.setDataWithAck('ro/old', { a: 1 }))
  const [old, none] = [await open(alice, 'ro/old'), await open(alice, 'ro/none')]
  assert.deepEqual([old.version, old.get(), none.version, none.get()], [1, { a: 1 }, -1, {}])
  assert.equal(await within('has', bob.record.has('ro/none')), false)
  old.set('a', 2)
  provoked(alice, 'RECORD RECORD_READ_ONLY_MODE')
  await within('confirmation', bob.record.setDataWithAck('ro/old', 'b', 2))
  await within('confirmation', bob.record.setDataWithAck('ro/none', { c: 3 }))
  await eventually('updates', () => old.get('b') === 2 && none.get('c') === 3)
  assert.deepEqual([old.get(), old.version, none.version], [{ a: 1, b: 2 }, 2, 1])
  const mine = await open(alice, 'mine/1')
  await within('confirmation', mine.setWithAck({ ok: true }))
  assert.deepEqual(await stored(bob, 'mine/1'), { ok: true })
})

test('after a discard updates stop, until the record is requested again', async () => {
  const [ours, , alice, bob] = await pair('discarded', { recordDiscardTimeout: 20 })
  let discarded = false
  ours.on('discard', () => { discarded = true })
  ours.discard()
  await eventually('discard', () => alice.record.names().length === 0)
  assert.ok(discarded)
  await settled(alice)
  await within('confirmation', bob.record.setDataWithAck('discarded', { a: 1 }))
  const again = await open(alice, 'discarded')
  assert.deepEqual([again.version, again.get()], [1, { a: 1 }])
  await within('confirmation', bob.record.setDataWithAck('discarded', { a: 2 }))
  await eventually('update', () => again.get('a') === 2)
})

test('a second reference keeps the record when the first is discarded', async () => {
  const [ours, theirs, alice] = await pair('shared', { recordDiscardTimeout: 20 })
  const second = await open(alice, 'shared')
  ours.discard()
  await never('discard', () => alice.record.names().length === 0)
  theirs.set('a', 1)
  await eventually('update', () => second.get('a') === 1)
})

test('unsubscribing a callback leaves the record subscribed', async () => {
  const [ours, theirs] = await pair('callback')
  const seen = []
  const callback = data => seen.push(data)
  theirs.subscribe(callback)
  ours.set('a', 1)
  await eventually('update', () => seen.length === 1)
  theirs.unsubscribe(callback)
  ours.set('a', 2)
  await eventually('update', () => theirs.version === 2)
  assert.equal(seen.length, 1)
})
