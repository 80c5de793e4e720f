// Deleting, and data that changes behind the server's back (NOTIFY).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acked, head, open, read, refused, store, subscribe } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { record, RECORD_ACTION } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()

const success = name => record('DELETE_SUCCESS', { name })
const deleted = name => record('DELETED', { name })
const notify = (names, correlationId = '5') => record('NOTIFY', { names, correlationId })

test('the one who deletes gets its promise, the others the event, and the record is gone', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const [ours, theirs] = [await open(alice, 'gone'), await open(bob, 'gone')]
  const events = []
  ours.on('delete', () => events.push('ours'))
  theirs.on('delete', () => events.push('theirs'))
  await within('confirmation', ours.setWithAck({ a: 1 }))
  await within('delete', ours.delete())
  await eventually('events', () => events.length === 2)
  assert.deepEqual(events.sort(), ['ours', 'theirs'])
  assert.deepEqual([alice.record.names(), bob.record.names()], [[], []])
  assert.equal(await within('has', bob.record.has('gone')), false)
})

test('after a delete the record begins anew, at version 0', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  for (let round = 0; round < 3; round++) {
    const [ours, theirs] = [await open(alice, 'anew'), await open(bob, 'anew')]
    assert.deepEqual([ours.version, ours.get(), theirs.version], [0, {}, 0])
    await within('confirmation', ours.setWithAck({ round }))
    await within('confirmation', ours.setWithAck('more', 1))
    await eventually('updates', () => theirs.version === 2)
    await within('delete', theirs.delete())
    await eventually('event', () => alice.record.names().length === 0)
  }
})

test('a delete told through a callback', async () => {
  const alice = await server.login('alice')
  const ours = await open(alice, 'called')
  const error = await within('callback', new Promise(resolve => ours.delete(resolve)))
  assert.equal(error, null)
})

test('DELETE_SUCCESS goes to the requester alone, DELETED to the others, with the name only', async () => {
  const [requester, other, stranger] = [await server.raw(), await server.raw(), await server.raw()]
  await store(requester, 'wire', { a: 1 })
  await subscribe(requester, 'wire', 1, '{"a":1}')
  await subscribe(other, 'wire', 1, '{"a":1}')
  await requester.ask(record('DELETE', { name: 'wire', correlationId: '3' }), success('wire'))
  await other.expect(deleted('wire'))
  await head(requester, 'wire', -1)
  await stranger.ask(record('READ', { name: 'wire' }), refused('RECORD_NOT_FOUND', 'READ', { name: 'wire' }))
  // Both subscriptions have ended, without a word.
  await store(stranger, 'wire', { b: 1 })
  for (const raw of [requester, other]) await head(raw, 'wire', 1)
  await subscribe(other, 'wire', 1, '{"b":1}') // no MULTIPLE_SUBSCRIPTIONS
})

test('what nobody subscribed to, and what does not exist, can be deleted too', async () => {
  const raw = await server.raw()
  await store(raw, 'unwatched', {})
  for (const name of ['unwatched', 'unwatched', 'never/was']) await raw.ask(record('DELETE', { name }), success(name))
  await head(raw, 'unwatched', -1)
})

test('a subscriber of what does not exist yet hears of a delete', async () => {
  const [raw, other] = [await server.raw(), await server.raw()]
  const only = record('SUBSCRIBEANDREAD', { names: ['void'], correlationId: '1' })
  await raw.ask(only, { ...only, isAck: true }, record('READ_RESPONSE', { name: 'void', version: -1, data: '{}' }))
  await other.ask(record('DELETE', { name: 'void' }), success('void'))
  await raw.expect(deleted('void'))
})

test('after a delete versions count from the start', async () => {
  const raw = await server.raw()
  for (let i = 0; i < 5; i++) await store(raw, 'restart', { i })
  await raw.ask(record('DELETE', { name: 'restart' }), success('restart'))
  raw.send(record('UPDATE', { name: 'restart', version: 6, data: '{}' }))
  await raw.expect(record('RECORD_UPDATE_ERROR', { name: 'restart', isError: true }))
  await subscribe(raw, 'restart')
  raw.send(record('UPDATE', { name: 'restart', version: 1, data: '{"new":1}' }))
  await read(raw, 'restart', 1, '{"new":1}')
})

test('a delete amid acknowledged writes: each has one outcome, and what others saw fits', async () => {
  const WRITES = 50
  for (let round = 0; round < 10; round++) {
    const name = `amid/${round}`
    const [writer, remover, watcher] = [await server.raw(), await server.raw(), await server.raw()]
    await store(writer, name, {})
    await subscribe(watcher, name, 1, '{}')
    for (let i = 0; i < WRITES; i++) {
      writer.send(record('UPDATE', { name, version: -1, data: `[${i}]`, ...acked(String(i)) }))
      if (i === WRITES / 2) remover.send(record('DELETE', { name }))
    }
    const outcomes = new Map()
    while (outcomes.size < WRITES) {
      const { action, correlationId } = await writer.next()
      assert.ok(!outcomes.has(correlationId), 'one outcome each')
      outcomes.set(correlationId, RECORD_ACTION[action])
    }
    const confirmed = [...outcomes.values()].filter(action => action === 'WRITE_ACKNOWLEDGEMENT').length
    assert.ok([...outcomes.values()].every(action => action === 'WRITE_ACKNOWLEDGEMENT' || action === 'RECORD_UPDATE_ERROR'))
    await remover.expect(success(name))
    let version = 1
    for (;;) {
      const seen = await watcher.next()
      if (seen.action === RECORD_ACTION.DELETED) break
      assert.deepEqual(seen, record('UPDATE', { name, version: ++version, data: `[${version - 2}]` }))
    }
    assert.ok(version - 1 >= confirmed, 'what was confirmed was delivered')
    await head(writer, name, -1) // whatever came after the delete found no record
    for (const raw of [writer, remover, watcher]) raw.close()
  }
})

test('many deletes and creations at once leave everybody agreed', async () => {
  const clients = await Promise.all(Array.from({ length: 6 }, () => server.raw()))
  for (let i = 0; i < 30; i++) {
    clients.forEach((raw, c) => raw.send(c % 2 === 0
      ? record('CREATEANDUPDATE', { name: 'churn', version: -1, data: `[${i}]` })
      : record('DELETE', { name: 'churn' })))
  }
  for (const raw of clients.filter((_, c) => c % 2 === 1)) for (let i = 0; i < 30; i++) await raw.expect(success('churn'))
  for (const raw of clients) { // whose answer to a HEAD shows that all was done
    raw.send(record('HEAD', { name: 'churn' }))
    assert.equal((await raw.next()).action, RECORD_ACTION.HEAD_RESPONSE)
  }
  const [reader, second] = [await server.raw(), await server.raw()]
  reader.send(record('READ', { name: 'churn' }))
  const state = await reader.next()
  second.send(record('READ', { name: 'churn' }))
  assert.deepEqual(await second.next(), state)
})

test('NOTIFY sends subscribers what is stored, the requester included, and is acknowledged', async () => {
  const [raw, other] = [await server.raw(), await server.raw()]
  await store(raw, 'notify/1', { a: 1 })
  for (const one of [raw, other]) await subscribe(one, 'notify/1', 1, '{"a":1}')
  const update = record('UPDATE', { name: 'notify/1', version: 1, data: '{"a":1}' })
  await raw.ask(notify(['notify/1', 'notify/unwatched']), update, { ...notify(['notify/1', 'notify/unwatched']), isAck: true })
  await other.expect(update)
  await head(other, 'notify/1', 1)
})

test('NOTIFY of what is not stored is a delete for its subscribers', async () => {
  const [raw, other] = [await server.raw(), await server.raw()]
  const only = record('SUBSCRIBEANDREAD', { names: ['notify/void'], correlationId: '1' })
  await other.ask(only, { ...only, isAck: true }, record('READ_RESPONSE', { name: 'notify/void', version: -1, data: '{}' }))
  await raw.ask(notify(['notify/void']), { ...notify(['notify/void']), isAck: true })
  await other.expect(deleted('notify/void'))
  await store(raw, 'notify/void', {})
  await head(other, 'notify/void', 1) // subscribed no longer
})

test('NOTIFY without names is acknowledged', async () => {
  const raw = await server.raw()
  await raw.ask(notify([]), record('NOTIFY', { correlationId: '5', isAck: true }))
})

test('the official client\'s notify resolves and disturbs nobody', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const [ours, theirs] = [await open(alice, 'notify/2'), await open(bob, 'notify/2')]
  await within('confirmation', ours.setWithAck({ a: 1 }))
  await within('notify', alice.record.notify(['notify/2', 'notify/none']))
  await within('confirmation', ours.setWithAck({ a: 2 }))
  await eventually('update', () => theirs.get('a') === 2)
  assert.deepEqual([ours.version, theirs.version], [2, 2])
})
