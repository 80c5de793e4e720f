// The server is killed while clients hold and write records: what was acknowledged survives, and nothing is merged
// that did not differ.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { caughtUp, disconnected, head, open, read, store, subscribe } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { record } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()

const lost = client => client.getConnectionState() === 'RECONNECTING'
const back = client => client.getConnectionState() === 'OPEN'

/** Kills the server, starts it again on the same data, and waits until all clients have compared their records with it. */
async function crash (clients) {
  await server.end('SIGKILL')
  await eventually('all notice', () => clients.every(lost))
  await server.start()
  await eventually('all are back', () => clients.every(client => back(client) && caughtUp(client)))
}

const stored = async name => {
  const reader = await server.login('reader')
  const answer = [await within('head', reader.record.head(name)), await within('snapshot', reader.record.snapshot(name))]
  reader.close()
  return answer
}

test('versions and data survive, key order too', async () => {
  const raw = await server.raw()
  await store(raw, 'kept/object', { z: 1, a: [null, { y: 'Grüße 🚀' }] })
  for (let i = 0; i < 9; i++) await store(raw, 'kept/list', [String(i)])
  await store(raw, 'kept/big', { text: 'x'.repeat(900_000) })
  await store(raw, 'kept/deleted', {})
  await raw.ask(record('DELETE', { name: 'kept/deleted' }), record('DELETE_SUCCESS', { name: 'kept/deleted' }))
  await store(raw, 'kept/reborn', { old: 1 })
  await store(raw, 'kept/reborn', { old: 2 })
  await raw.ask(record('DELETE', { name: 'kept/reborn' }), record('DELETE_SUCCESS', { name: 'kept/reborn' }))
  await store(raw, 'kept/reborn', { new: 1 })
  for (let round = 0; round < 2; round++) {
    await crash([])
    const after = await server.raw()
    await read(after, 'kept/object', 1, '{"z":1,"a":[null,{"y":"Grüße 🚀"}]}')
    await read(after, 'kept/list', 9, '["8"]')
    await head(after, 'kept/big', 1)
    await head(after, 'kept/deleted', -1)
    await read(after, 'kept/reborn', 1, '{"new":1}')
  }
  const after = await server.raw()
  await subscribe(after, 'kept/list', 9, '["8"]')
  await store(after, 'kept/list', ['next'])
  await after.ask(record('HEAD', { name: 'kept/list' }), record('HEAD_RESPONSE', { name: 'kept/list', version: 10 }))
})

test('clients at rest come back to the same versions without a merge that changes anything', async () => {
  const differing = []
  const mergeStrategy = (localData, localVersion, remoteData, remoteVersion, callback) => {
    if (JSON.stringify(localData) !== JSON.stringify(remoteData)) differing.push([localVersion, remoteVersion, localData, remoteData])
    callback(null, remoteData)
  }
  const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => server.login(`rest/${i}`, { mergeStrategy })))
  const shared = await Promise.all(clients.map(client => open(client, 'rest/shared')))
  const own = await Promise.all(clients.map((client, i) => open(client, `rest/${i}`)))
  for (const [i, one] of own.entries()) for (let n = 1; n <= 1 + i; n++) await within('confirmation', one.setWithAck({ n }))
  await within('confirmation', shared[0].setWithAck({ all: true }))
  await eventually('all have it', () => shared.every(one => one.version === 1))
  for (let round = 0; round < 3; round++) {
    await crash(clients)
    await within('confirmation', shared[round].setWithAck(`round${round}`, true))
    await eventually('all have it', () => shared.every(one => one.version === 2 + round && one.get(`round${round}`)))
    for (const [i, one] of own.entries()) assert.deepEqual([one.version, one.get()], [1 + i, { n: 1 + i }])
  }
  for (const [i, one] of own.entries()) await within('confirmation', one.setWithAck('after', i))
  for (const [i] of own.entries()) assert.deepEqual(await stored(`rest/${i}`), [2 + i, { n: 1 + i, after: i }])
  assert.deepEqual(differing, [])
  disconnected(...clients)
})

test('killed amid writes: nothing acknowledged is lost, and everybody agrees afterwards', async () => {
  const clients = await Promise.all(Array.from({ length: 10 }, (_, i) => server.login(`amid/${i}`)))
  const records = await Promise.all(clients.map((client, i) => open(client, `amid/${i}`)))
  const watchers = await Promise.all(records.map(async (one, i) => open(clients[(i + 1) % clients.length], one.name)))
  for (let round = 0; round < 3; round++) {
    const confirmed = records.map(() => 0)
    const settled = records.flatMap((one, i) => Array.from({ length: 100 }, (_, n) =>
      one.setWithAck('n', round * 100 + n + 1).then(() => { confirmed[i] = round * 100 + n + 1 }, error => assert.equal(error, 'client offline'))))
    await eventually('some are confirmed', () => confirmed.some(n => n > round * 100))
    await crash(clients)
    await within('every promise', Promise.all(settled))
    for (const [i, one] of records.entries()) {
      const [version, { n = 0 }] = await stored(one.name)
      assert.ok(n >= confirmed[i], `${one.name}: ${n} is stored, ${confirmed[i]} was acknowledged`)
      await eventually('agreement', async () => {
        const [now, data] = await stored(one.name)
        return now >= version && [one, watchers[i]].every(view => view.version === now && view.get('n') === data.n)
      })
      await within('confirmation', one.setWithAck('round', round))
    }
  }
  disconnected(...clients)
})

test('killed amid raw writes: versions have no gap below what was acknowledged', async () => {
  const raws = await Promise.all(Array.from({ length: 4 }, () => server.raw()))
  const acknowledged = raws.map(() => 0)
  raws.forEach((raw, w) => {
    for (let i = 1; i <= 500; i++) {
      raw.send(record('CREATEANDUPDATE', { name: `raw/${w}`, version: i, data: `{"n":${i}}`, isWriteAck: true, correlationId: String(i) }))
    }
  })
  await raws[0].next()
  acknowledged[0] = 1
  await server.end('SIGKILL')
  for (const [w, raw] of raws.entries()) {
    while (raw.unread > 0) {
      const reply = await raw.next().catch(() => undefined) // the connection's end
      if (reply === undefined) break
      acknowledged[w] = Math.max(acknowledged[w], Number(reply.correlationId))
    }
  }
  await server.start()
  for (const [w, last] of acknowledged.entries()) {
    const reader = await server.raw()
    reader.send(record('HEAD', { name: `raw/${w}` }))
    const { version } = await reader.next()
    assert.ok(version >= (last || -1), `raw/${w}: version ${version}, acknowledged ${last}`)
    if (version > 0) await read(reader, `raw/${w}`, version, `{"n":${version}}`)
  }
})

test('what changed while a client was away reaches it as the remote side of a merge', async () => {
  const clients = [await server.login('away')]
  const ours = await open(clients[0], 'away')
  await within('confirmation', ours.setWithAck({ n: 1 }))
  await server.end('SIGKILL')
  await eventually('notice', () => lost(clients[0]))
  await server.start()
  await store(await server.raw(), 'away', { n: 2 })
  await eventually('back', () => back(clients[0]) && caughtUp(clients[0]))
  await eventually('the change', () => ours.get('n') === 2 && ours.version === 2)
  await within('confirmation', ours.setWithAck('n', 3))
  assert.deepEqual(await stored('away'), [3, { n: 3 }])
  disconnected(...clients)
})
