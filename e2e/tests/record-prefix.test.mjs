// Records that are not stored (storageExclusionPrefixes) and records written without a version check
// (storageHotPathPrefixes), and what a restart leaves of both.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acked, caughtUp, disconnected, head, open, read, refused, store, subscribe, written } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { record } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve({ record: { storageExclusionPrefixes: ['tmp/', 'cache/only/'], storageHotPathPrefixes: ['hot/'] } })

test('an excluded record behaves like any other, acknowledgements included', async () => {
  const [writer, other] = [await server.raw(), await server.raw()]
  await subscribe(other, 'tmp/1')
  await writer.ask(record('UPDATE', { name: 'tmp/1', version: 1, data: '{"a":1}', ...acked('1') }), written('tmp/1', '1'))
  await writer.ask(record('PATCH', { name: 'tmp/1', version: 2, path: 'b', data: '2', ...acked('2') }), written('tmp/1', '2'))
  await other.expect(record('UPDATE', { name: 'tmp/1', version: 1, data: '{"a":1}' }), record('PATCH', { name: 'tmp/1', version: 2, path: 'b', data: '2' }))
  await read(writer, 'tmp/1', 2, '{"a":1,"b":2}')
  await writer.ask(record('DELETE', { name: 'tmp/1' }), record('DELETE_SUCCESS', { name: 'tmp/1' }))
  await other.expect(record('DELETED', { name: 'tmp/1' }))
  await head(writer, 'tmp/1', -1)
})

test('on the hot path every write is taken, whatever its version, and counts', async () => {
  const [writer, rival, other] = [await server.raw(), await server.raw(), await server.raw()]
  const write = (raw, version, data, id) =>
    raw.ask(record('CREATEANDUPDATE', { name: 'hot/1', version, data, ...acked(id) }), written('hot/1', id))
  await write(writer, -1, '{"n":1}', 'a')
  await subscribe(other, 'hot/1', 1, '{"n":1}')
  await write(rival, -1, '{"n":2}', 'b')
  await write(writer, 1, '{"n":3}', 'c')
  writer.send(record('CREATEANDUPDATE', { name: 'hot/1', version: -1, data: '{"n":4}' }))
  for (const n of [2, 3, 4]) await other.expect(record('UPDATE', { name: 'hot/1', version: n, data: `{"n":${n}}` }))
  await read(other, 'hot/1', 4, '{"n":4}')
})

test('patches are refused on the hot path, acknowledged or not', async () => {
  const raw = await server.raw()
  await store(raw, 'hot/patch', { a: 1 })
  for (const fields of [{}, acked('1')]) {
    await raw.ask(record('CREATEANDPATCH', { name: 'hot/patch', version: -1, path: 'a', data: '2', ...fields }),
      refused('INVALID_PATCH_ON_HOTPATH', 'CREATEANDPATCH', { name: 'hot/patch', ...fields }))
  }
  await read(raw, 'hot/patch', 1, '{"a":1}')
})

test('setData of the official client settles on the hot path, in success and in failure', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const theirs = await open(bob, 'hot/client')
  for (const n of [1, 2, 3]) await within('confirmation', alice.record.setDataWithAck('hot/client', { n }))
  await eventually('update', () => theirs.get('n') === 3)
  assert.equal(theirs.version, 3)
  await assert.rejects(within('refusal', alice.record.setDataWithAck('hot/client', 'n', 4)), error => error === 'INVALID_PATCH_ON_HOTPATH')
  theirs.set('n', 5) // an open record writes the ordinary way, and fits in
  await within('confirmation', theirs.setWithAck('m', 6))
  assert.deepEqual(await within('snapshot', alice.record.snapshot('hot/client')), { n: 5, m: 6 })
})

for (const [how, signal] of [['an orderly stop', 'SIGTERM'], ['a crash', 'SIGKILL']]) {
  test(`after ${how} stored and hot records are back, excluded ones are not`, async () => {
    const before = await server.raw()
    const name = kind => `${kind}/${signal}`
    for (const kind of ['tmp', 'cache/only', 'hot', 'cache', 'tm']) await store(before, name(kind), { kind })
    await store(before, name('hot'), { kind: 'hot again' })
    await server.end(signal)
    await server.start()
    const after = await server.raw()
    for (const kind of ['tmp', 'cache/only']) await head(after, name(kind), -1)
    for (const kind of ['cache', 'tm']) await read(after, name(kind), 1, `{"kind":"${kind}"}`)
    await read(after, name('hot'), 2, '{"kind":"hot again"}')
    await subscribe(after, name('tmp'))
  })
}

test('who held an excluded record through a crash may lose its data, but can write it anew', async () => {
  const client = await server.login('holder')
  const ours = await open(client, 'tmp/held')
  await within('confirmation', ours.setWithAck({ a: 1 }))
  await server.end('SIGKILL')
  await eventually('loss is noticed', () => client.getConnectionState() === 'RECONNECTING')
  await server.start()
  await eventually('caught up', () => client.getConnectionState() === 'OPEN' && caughtUp(client))
  const again = await open(client, 'tmp/held')
  await within('confirmation', again.setWithAck({ a: 2 }))
  assert.deepEqual(await within('snapshot', (await server.login('reader')).record.snapshot('tmp/held')), { a: 2 })
  disconnected(client)
})
