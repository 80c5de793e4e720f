// The official client with a local store of its own (offlineEnabled): what it did without a connection reaches the server.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Proxy } from '../lib/proxy.mjs'
import { caughtUp, disconnected, expectConflictWarnings, head, open, read, store, subscribe } from '../lib/record.mjs'
import { serve, settled } from '../lib/server.mjs'
import { record } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()
expectConflictWarnings()

const DIRTY = '__ds__dirty_records' // where the client keeps the names of records it could not send

/** The client's store interface over a map: answers come later, data goes in and out as copies. */
class Memory {
  isReady = true
  #records = new Map()

  get (name, callback) {
    const { version, text } = this.#records.get(name) ?? { version: -1, text: 'null' }
    queueMicrotask(() => callback(name, version, JSON.parse(text)))
  }

  set (name, version, data, callback = () => {}) {
    this.#records.set(name, { version, text: JSON.stringify(data) })
    queueMicrotask(() => callback(null))
  }

  delete (name, callback) {
    this.#records.delete(name)
    queueMicrotask(() => callback(null))
  }

  reset (callback) {
    this.#records.clear()
    queueMicrotask(() => callback(null))
  }

  peek (name) {
    const { version, text } = this.#records.get(name) ?? { version: -1, text: 'null' }
    return [version, JSON.parse(text)]
  }
}

/** A client behind a network of its own that can be cut, keeping its records in `memory`. */
async function traveller (memory = new Memory(), options = {}) {
  const proxy = await Proxy.to(server.port)
  after(() => proxy.cut()) // a test that fails leaves no listener behind
  const client = await server.login('traveller', {
    offlineEnabled: true, storage: memory, storageName: 'none of the built-in ones', offlineBufferTimeout: 20, ...options
  }, { url: proxy.url })
  return {
    client,
    memory,
    async leave () {
      await proxy.cut()
      await eventually('offline', () => client.getConnectionState() === 'RECONNECTING' && !client.services.connection.isInLimbo)
    },
    async arrive () {
      await proxy.restore()
      await eventually('online', () => client.getConnectionState() === 'OPEN')
    },
    async end () {
      disconnected(client)
      client.close()
      await proxy.cut()
    }
  }
}

test('a record created without a connection is created on the server', async () => {
  const { client, leave, arrive, end } = await traveller()
  await leave()
  const ours = await open(client, 'born/offline')
  assert.equal(ours.version, 1)
  ours.set({ a: 1 })
  ours.set('b.c', 2)
  await arrive()
  const raw = await server.raw()
  await eventually('the record', async () => {
    raw.send(record('READ', { name: 'born/offline' }))
    const { version, data } = await raw.next()
    return version === 1 && data === '{"a":1,"b":{"c":2}}'
  })
  await eventually('caught up', () => caughtUp(client))
  await within('confirmation', ours.setWithAck('d', 3))
  await read(raw, 'born/offline', 2, '{"a":1,"b":{"c":2},"d":3}')
  await end()
})

test('a record stored in an earlier session is changed offline and sent as the next version', async () => {
  const raw = await server.raw()
  for (let i = 1; i <= 5; i++) await store(raw, 'kept/offline', { n: i })
  const memory = new Memory()
  memory.set('kept/offline', 5, { n: 5 })
  const { client, leave, arrive, end } = await traveller(memory)
  await leave()
  const ours = await open(client, 'kept/offline')
  assert.deepEqual([ours.version, ours.get()], [5, { n: 5 }])
  await subscribe(raw, 'kept/offline', 5, '{"n":5}')
  ours.set('n', 6)
  await arrive()
  await raw.expect(record('UPDATE', { name: 'kept/offline', version: 6, data: '{"n":6}' }))
  assert.deepEqual([ours.version, ours.get()], [6, { n: 6 }])
  await end()
})

test('a record stored in an earlier session that is still current needs no more than its version', async () => {
  const raw = await server.raw()
  await store(raw, 'current', { n: 1 })
  const memory = new Memory()
  memory.set('current', 1, { n: 1 })
  const { client, end } = await traveller(memory, {
    mergeStrategy: () => assert.fail('there is nothing to merge')
  })
  const ours = await open(client, 'current')
  assert.deepEqual([ours.version, ours.get()], [1, { n: 1 }])
  await store(raw, 'current', { n: 2 })
  await eventually('update', () => ours.get('n') === 2)
  await end()
})

test('a record that moved on meanwhile is taken from the server', async () => {
  const raw = await server.raw()
  for (let i = 1; i <= 3; i++) await store(raw, 'moved', { n: i })
  const memory = new Memory()
  memory.set('moved', 1, { n: 1 })
  const { client, end } = await traveller(memory)
  const ours = await open(client, 'moved')
  await eventually('the newer version', () => ours.version === 3 && ours.get('n') === 3)
  await within('confirmation', ours.setWithAck('n', 4))
  await read(raw, 'moved', 4, '{"n":4}')
  await end()
})

test('a record deleted meanwhile is deleted here, and not brought back', async () => {
  const memory = new Memory()
  memory.set('deleted/remotely', 4, { n: 4 })
  const { client, end } = await traveller(memory)
  const ours = client.record.getRecord('deleted/remotely')
  await within('event', new Promise(resolve => ours.on('delete', resolve)))
  assert.deepEqual(memory.peek('deleted/remotely'), [-1, null])
  await settled(client)
  await head(await server.raw(), 'deleted/remotely', -1)
  await end()
})

test('what a session could not send is sent by the next one, whether the record is opened or not', async () => {
  const memory = new Memory()
  memory.set('unsent', 1, { left: 'over' })
  memory.set(DIRTY, 1, [['unsent', true]])
  const { client, end } = await traveller(memory)
  const raw = await server.raw()
  await eventually('the record', async () => {
    raw.send(record('HEAD', { name: 'unsent' }))
    return (await raw.next()).version !== -1
  })
  raw.send(record('READ', { name: 'unsent' }))
  assert.deepEqual(JSON.parse((await raw.next()).data), { left: 'over' })
  await eventually('the mark is gone', () => !client.record.dirtyService.isDirty('unsent'))
  await eventually('from the store too', () => memory.peek(DIRTY)[1].length === 0)
  await end()
})

test('what a session could not send does not overwrite what others have written since', async () => {
  const raw = await server.raw()
  for (let i = 1; i <= 3; i++) await store(raw, 'overtaken', { n: i })
  const memory = new Memory()
  memory.set('overtaken', 2, { stale: true })
  memory.set(DIRTY, 1, [['overtaken', true]])
  const { client, end } = await traveller(memory)
  const ours = await open(client, 'overtaken')
  await eventually('the server\'s data', () => ours.get('n') === 3)
  await settled(client)
  await read(raw, 'overtaken', 3, '{"n":3}')
  await end()
})

test('cut off and back, ten times: the records are the same, and live', async () => {
  const { client, memory, leave, arrive, end } = await traveller()
  const other = await server.login('other')
  const records = await Promise.all(Array.from({ length: 20 }, (_, i) => open(client, `flap/${i}`)))
  for (const [i, one] of records.entries()) await within('confirmation', one.setWithAck({ i }))
  for (let round = 0; round < 10; round++) {
    await leave()
    assert.deepEqual(memory.peek('flap/7'), [1 + round, { i: 7, ...(round > 0 && { round: round - 1 }) }])
    await arrive()
    await eventually('caught up', () => caughtUp(client))
    for (const one of records) other.record.setData(one.name, 'round', round)
    await eventually('updates', () => records.every(one => one.get('round') === round))
  }
  for (const [i, one] of records.entries()) assert.deepEqual([one.version, one.get()], [11, { i, round: 9 }])
  await end()
})

test('a change made while cut off gives way to what others changed', async () => {
  const { client, leave, arrive, end } = await traveller()
  const ours = await open(client, 'yield')
  await within('confirmation', ours.setWithAck({ n: 1 }))
  await leave()
  ours.set('n', 'mine')
  await store(await server.raw(), 'yield', { n: 'theirs' })
  await arrive()
  await eventually('their change', () => ours.version === 2 && ours.get('n') === 'theirs')
  await read(await server.raw(), 'yield', 2, '{"n":"theirs"}')
  await end()
})
