// Two official clients write the same version: one wins, and the loser merges as its strategy says.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expectConflictWarnings, failure, open, subscribe, written } from '../lib/record.mjs'
import { serve, settled } from '../lib/server.mjs'
import { record, RECORD_ACTION } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()
expectConflictWarnings()

const localWins = (localData, localVersion, remoteData, remoteVersion, callback) => callback(null, localData)
const remoteWins = (localData, localVersion, remoteData, remoteVersion, callback) => callback(null, remoteData)

let count = 0

/**
 * An official client whose write lost against one that was under way: repeats with new names until it does.
 * Resolves with its record, the winner's raw connection, what the client was told, and its name.
 */
async function lose (write, options, data = '{"by":"remote"}') {
  for (let round = 0; round < 100; round++) {
    const name = `lose/${count++}`
    const [client, raw] = [await server.login('loser', options), await server.raw()]
    const ours = await open(client, name)
    await subscribe(raw, name)
    raw.send(record('UPDATE', { name, version: 1, data, isWriteAck: true, correlationId: 'w' }))
    const outcome = write(ours).then(() => 'accepted', error => error)
    if ((await raw.next()).action === RECORD_ACTION.WRITE_ACKNOWLEDGEMENT) return { name, client, ours, raw, outcome }
    await outcome
    client.close()
    raw.close()
  }
  throw new Error('never lost')
}

const stored = async name => within('snapshot', (await server.login('reader')).record.snapshot(name))

test('REMOTE_WINS takes the winner\'s data and may write at once', async () => {
  const { name, ours, raw, outcome } = await lose(one => one.setWithAck({ by: 'local' }))
  assert.equal(await within('refusal', outcome), 'RECORD_UPDATE_ERROR')
  assert.deepEqual([ours.get(), ours.version], [{ by: 'remote' }, 1])
  await within('confirmation', ours.setWithAck('more', 1))
  assert.deepEqual([await stored(name), ours.version], [{ by: 'remote', more: 1 }, 2])
  await raw.expect(record('PATCH', { name, version: 2, path: 'more', data: '1' }))
})

test('REMOTE_WINS after a lost patch', async () => {
  const { name, ours, outcome } = await lose(one => one.setWithAck('by', 'local'))
  assert.equal(await within('refusal', outcome), 'RECORD_UPDATE_ERROR')
  assert.deepEqual([ours.get(), await stored(name)], [{ by: 'remote' }, { by: 'remote' }])
})

test('REMOTE_WINS against a patch reads the record and takes it', async () => {
  for (let round = 0; round < 20; round++) {
    const name = `patched/${round}`
    const clients = [await server.login('alice'), await server.login('bob')]
    const records = [await open(clients[0], name), await open(clients[1], name)]
    const outcomes = await Promise.all(records.map((one, i) =>
      within('an answer', one.setWithAck(`by${i}`, i).then(() => 'accepted', error => error))))
    const data = await stored(name)
    await eventually('both see the same', () => records.every(one => JSON.stringify(one.get()) === JSON.stringify(data)))
    const accepted = outcomes.filter(outcome => outcome === 'accepted').length
    assert.equal(Object.keys(data).length, accepted, 'what was accepted is there, what was refused is not')
    assert.ok(accepted >= 1)
    clients.forEach(client => client.close())
  }
})

test('LOCAL_WINS writes the loser\'s data on top', async () => {
  const { name, ours, raw } = await lose(one => one.setWithAck({ by: 'local' }), { mergeStrategy: localWins })
  await raw.expect(record('UPDATE', { name, version: 2, data: '{"by":"local"}' }))
  assert.deepEqual([ours.get(), await stored(name)], [{ by: 'local' }, { by: 'local' }])
})

test('a strategy of one\'s own merges both sides, which it sees with their versions', async () => {
  const merges = []
  const { name, ours, raw } = await lose(one => one.setWithAck({ local: 1 }), {
    mergeStrategy: (localData, localVersion, remoteData, remoteVersion, callback) => {
      merges.push([localVersion, remoteVersion])
      callback(null, { ...remoteData, ...localData })
    }
  }, '{"remote":1}')
  await raw.expect(record('UPDATE', { name, version: 2, data: '{"remote":1,"local":1}' }))
  assert.deepEqual(merges[0], [1, 1])
  assert.deepEqual([ours.get(), await stored(name)], [{ remote: 1, local: 1 }, { remote: 1, local: 1 }])
})

test('a strategy set for one record goes before the general one', async () => {
  const client = await server.login('special')
  client.record.setMergeStrategy('special/1', localWins)
  client.record.setMergeStrategyRegExp(/^pattern\//, remoteWins)
  assert.throws(() => client.record.setMergeStrategy('special/1', 'no function'))
  const [ours, raw] = [await open(client, 'special/1'), await server.raw()]
  await subscribe(raw, 'special/1')
  for (let version = 1; ; version += 2) {
    raw.send(record('UPDATE', { name: 'special/1', version, data: `{"remote":${version}}`, isWriteAck: true, correlationId: 'w' }))
    ours.set({ local: version })
    const first = await raw.next()
    if (first.action === RECORD_ACTION.WRITE_ACKNOWLEDGEMENT || first.version === version + 1) { // in either order
      const both = [first, await raw.next()].sort((a, b) => a.action - b.action)
      assert.deepEqual(both, [written('special/1', 'w'),
        record('UPDATE', { name: 'special/1', version: version + 1, data: `{"local":${version}}` })])
      return
    }
    await eventually('our own version', async () => (await client.record.head('special/1')) >= version)
    await raw.next() // VERSION_EXISTS
    await raw.next() // RECORD_UPDATE_ERROR
    await raw.ask(record('UPDATE', { name: 'special/1', version: version + 1, data: '{}', isWriteAck: true, correlationId: 'w' }), written('special/1', 'w'))
    await eventually('both at one version', () => ours.version === version + 1)
  }
})

test('a counter that 10 clients raise with retries misses no step', async () => {
  const [CLIENTS, STEPS] = [10, 10]
  const records = await Promise.all(Array.from({ length: CLIENTS }, async (_, i) => open(await server.login(`counter/${i}`), 'counter')))
  const raise = async one => {
    const { version } = one
    try {
      await within('an answer', one.setWithAck({ n: (one.get('n') ?? 0) + 1 }))
      return true
    } catch (error) {
      assert.equal(error, 'RECORD_UPDATE_ERROR')
      await eventually('the step that got ahead', () => one.version >= version)
      return false
    }
  }
  await Promise.all(records.map(async one => {
    for (let steps = 0; steps < STEPS;) if (await raise(one)) steps++
  }))
  assert.deepEqual(await stored('counter'), { n: CLIENTS * STEPS })
  await eventually('all have arrived', () => records.every(one => one.get('n') === CLIENTS * STEPS && one.version === CLIENTS * STEPS))
})

test('unconditional writes of many clients all count', async () => {
  const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => server.login(`setter/${i}`)))
  await Promise.all(clients.flatMap((client, c) => Array.from({ length: 20 }, (_, i) =>
    within('confirmation', client.record.setDataWithAck('forced', `c${c}`, i)))))
  assert.equal(await within('head', clients[0].record.head('forced')), 200)
  assert.deepEqual(Object.values(await stored('forced')), clients.map(() => 19))
})

test('a merge that fails keeps the connection and the record alive', async () => {
  const { name, client, ours, outcome } = await lose(one => one.setWithAck({ by: 'local' }), {
    mergeStrategy: (localData, localVersion, remoteData, remoteVersion, callback) => callback('cannot merge')
  })
  assert.equal(typeof await within('refusal', outcome), 'string')
  await eventually('error event', () => client.errors.length > 0)
  assert.deepEqual([...new Set(client.errors.splice(0))], ['RECORD undefined']) // the client has no text for this
  await settled(client)
  assert.deepEqual(await stored(name), { by: 'remote' })
  assert.deepEqual(ours.get(), { by: 'local' }, 'left as it was')
  assert.equal(await failure('snapshot', client.record.snapshot('nothing/here')), 'RECORD_NOT_FOUND')
})
