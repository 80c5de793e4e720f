// Reading and subscribing, field by field.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { head, message, modern, read, refused, store, subscribe } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { record, RECORD_ACTION } from '../lib/raw.mjs'
import { eventually } from '../lib/wait.mjs'

const server = await serve()

const ack = (action, correlationId = '1') => record(action, { isAck: true, correlationId })
const request = (action, names, correlationId = '1') => record(action, { names, correlationId })
const repeated = (name, originalAction = 'SUBSCRIBE') =>
  record('MULTIPLE_SUBSCRIPTIONS', { name, originalAction: RECORD_ACTION[originalAction] })
const snapshot = (name, version, data) => record('READ_RESPONSE', { name, version, data })
const byName = (a, b) => a.name < b.name ? -1 : 1

/** SUBSCRIBEANDHEAD is answered: resolves with the version of each name, insisting that every name has exactly one. */
async function heads (raw, names) {
  raw.send(request('SUBSCRIBEANDHEAD', names, '2'))
  const versions = new Map()
  const answer = (name, version) => {
    assert.ok(!versions.has(name), `${name} is answered once`)
    versions.set(name, version)
  }
  for (let acked = false; !acked || versions.size < names.length;) {
    const { topic, action, ...fields } = await raw.next()
    if (action === RECORD_ACTION.HEAD_RESPONSE_BULK) {
      assert.deepEqual(Object.keys(fields).filter(key => key !== 'versions'), [])
      Object.entries(fields.versions ?? {}).forEach(([name, version]) => answer(name, version))
    } else if (action === RECORD_ACTION.HEAD_RESPONSE) {
      assert.deepEqual(Object.keys(fields).sort(), ['name', 'version'])
      answer(fields.name, fields.version)
    } else {
      assert.deepEqual({ topic, action, ...fields }, ack('SUBSCRIBEANDHEAD', '2'))
      acked = true
    }
  }
  return Object.fromEntries(versions)
}

test('READ and HEAD of what does not exist', async () => {
  const raw = await server.raw()
  await raw.ask(record('READ', { name: 'absent', correlationId: '9' }), refused('RECORD_NOT_FOUND', 'READ', { name: 'absent' }))
  await raw.ask(record('HEAD', { name: 'absent', correlationId: '9' }), record('HEAD_RESPONSE', { name: 'absent', version: -1 }))
  await raw.quiet()
})

test('READ and HEAD of what exists carry name, version and data only', async () => {
  const raw = await server.raw()
  await store(raw, 'present', { a: 1 })
  await raw.ask(record('READ', { name: 'present', correlationId: '9' }), snapshot('present', 1, '{"a":1}'))
  await raw.ask(record('HEAD', { name: 'present', correlationId: '9' }), record('HEAD_RESPONSE', { name: 'present', version: 1 }))
})

test('SUBSCRIBECREATEANDREAD acknowledges by echo and creates version 0, which others can read', async () => {
  const [raw, other] = [await server.raw(), await server.raw()]
  await raw.ask(request('SUBSCRIBECREATEANDREAD', ['created']),
    record('SUBSCRIBECREATEANDREAD', { names: ['created'], isAck: true, correlationId: '1' }), snapshot('created', 0, '{}'))
  await raw.quiet()
  await read(other, 'created', 0, '{}')
  await subscribe(other, 'created')
})

test('SUBSCRIBECREATEANDREAD of several names answers each, created or not', async () => {
  const raw = await server.raw()
  await store(raw, 'several/1', { is: 'old' })
  await store(raw, 'several/2', ['list'])
  const names = ['several/0', 'several/1', 'several/2', 'several/3']
  await raw.ask(request('SUBSCRIBECREATEANDREAD', names), { ...request('SUBSCRIBECREATEANDREAD', names), isAck: true })
  const answers = []
  for (const _ of names) answers.push(await raw.next())
  assert.deepEqual(answers.sort(byName), [
    snapshot('several/0', 0, '{}'), snapshot('several/1', 1, '{"is":"old"}'), snapshot('several/2', 1, '["list"]'),
    snapshot('several/3', 0, '{}')
  ])
  await raw.quiet()
})

for (const action of ['SUBSCRIBECREATEANDREAD', 'SUBSCRIBEANDREAD', 'SUBSCRIBE', 'UNSUBSCRIBE']) {
  test(`${action} without names is acknowledged`, async () => {
    const raw = await server.raw()
    await raw.ask(request(action, []), ack(action))
    await raw.quiet()
  })
}

test('SUBSCRIBEANDHEAD without names is answered and acknowledged', async () => {
  const raw = await server.raw()
  assert.deepEqual(await heads(raw, []), {})
  await raw.quiet()
})

test('a repeated subscription is told so and gets a fresh snapshot', async () => {
  const [raw, writer] = [await server.raw(), await server.raw()]
  await subscribe(raw, 'repeat')
  await store(writer, 'repeat', { a: 1 })
  await raw.expect(record('UPDATE', { name: 'repeat', version: 1, data: '{"a":1}' }))
  const again = request('SUBSCRIBECREATEANDREAD', ['repeat'])
  await raw.ask(again, { ...again, isAck: true }, repeated('repeat'), snapshot('repeat', 1, '{"a":1}'))
  await raw.ask(request('SUBSCRIBE', ['repeat']), repeated('repeat'), ack('SUBSCRIBE'))
  await store(writer, 'repeat', { a: 2 })
  await raw.expect(record('UPDATE', { name: 'repeat', version: 2, data: '{"a":2}' }))
  await head(raw, 'repeat', 2) // once, not twice
})

test('SUBSCRIBEANDREAD does not create, but hears of the creation', async () => {
  const [raw, writer] = [await server.raw(), await server.raw()]
  const only = request('SUBSCRIBEANDREAD', ['later'])
  await raw.ask(only, { ...only, isAck: true }, snapshot('later', -1, '{}'))
  await head(writer, 'later', -1)
  await store(writer, 'later', { a: 1 })
  await raw.expect(record('UPDATE', { name: 'later', version: 1, data: '{"a":1}' }))
})

test('SUBSCRIBEANDREAD reads what exists', async () => {
  const raw = await server.raw()
  await store(raw, 'existing', { a: 1 })
  const only = request('SUBSCRIBEANDREAD', ['existing'])
  await raw.ask(only, { ...only, isAck: true }, snapshot('existing', 1, '{"a":1}'))
})

test('SUBSCRIBEANDHEAD answers every name once and subscribes to all', async () => {
  const [raw, writer] = [await server.raw(), await server.raw()]
  await store(writer, 'heads/one', { a: 1 })
  await subscribe(writer, 'heads/zero')
  assert.deepEqual(await heads(raw, ['heads/one', 'heads/none', 'heads/zero']), { 'heads/one': 1, 'heads/none': -1, 'heads/zero': 0 })
  await raw.quiet()
  await store(writer, 'heads/none', { a: 1 })
  await store(writer, 'heads/one', { a: 2 })
  await raw.expect(record('UPDATE', { name: 'heads/none', version: 1, data: '{"a":1}' }))
  await raw.expect(record('UPDATE', { name: 'heads/one', version: 2, data: '{"a":2}' }))
})

test('SUBSCRIBE hears of updates from then on', async () => {
  const [raw, writer] = [await server.raw(), await server.raw()]
  await raw.ask(request('SUBSCRIBE', ['mere']), ack('SUBSCRIBE'))
  await store(writer, 'mere', { a: 1 })
  await raw.expect(record('UPDATE', { name: 'mere', version: 1, data: '{"a":1}' }))
})

test('UNSUBSCRIBE ends the updates, and is acknowledged for strangers too', async () => {
  const [raw, writer] = [await server.raw(), await server.raw()]
  await subscribe(raw, 'left')
  await raw.ask(request('UNSUBSCRIBE', ['left'], 'left'), ack('UNSUBSCRIBE', 'left'))
  await store(writer, 'left', { a: 1 })
  await head(raw, 'left', 1)
  await raw.ask(request('UNSUBSCRIBE', ['left', 'never/known']), ack('UNSUBSCRIBE'))
})

test('names are compared byte for byte', async () => {
  const raw = await server.raw()
  const names = ['case', 'Case', 'case ', 'é', 'e\u0301', '日本/🚀', 'a/b?c=d#e', '*', '__proto__', 'constructor', 'n'.repeat(1000)]
  for (const [i, name] of names.entries()) await store(raw, name, { i })
  for (const [i, name] of names.entries()) await read(raw, name, 1, `{"i":${i}}`)
})

/** Overwrites `name` again and again while `work` runs; resolves with the version reached. */
async function amidWrites (name, work) {
  const writer = await server.raw()
  await subscribe(writer, name)
  let version = 0
  let busy = true
  const done = work().finally(() => { busy = false })
  do {
    for (let i = 0; i < 20; i++) writer.send(record('UPDATE', { name, version: ++version, data: `{"n":${version}}` }))
    await writer.settled()
  } while (busy)
  await done
  await head(writer, name, version)
  return version
}

/** Follows `name` up to version `last`: no update is missing, none comes twice, each has the data of its version. */
async function follow (raw, name, from, last) {
  for (let version = from + 1; version <= last; version++) {
    await raw.expect(record('UPDATE', { name, version, data: `{"n":${version}}` }))
  }
}

test('a snapshot taken amid writes is followed by exactly the next versions', async () => {
  const found = []
  const last = await amidWrites('amid', async () => {
    for (let i = 0; i < 30; i++) {
      const raw = await server.raw()
      const mine = request('SUBSCRIBECREATEANDREAD', ['amid'])
      await raw.ask(mine, { ...mine, isAck: true })
      const { version, data } = await raw.next()
      assert.equal(data, version === 0 ? '{}' : `{"n":${version}}`)
      found.push([raw, version])
    }
  })
  for (const [raw, version] of found) await follow(raw, 'amid', version, last)
})

test('heads taken amid writes are followed by exactly the next versions', async () => {
  const found = []
  const last = await amidWrites('amid/heads', async () => {
    for (let i = 0; i < 30; i++) {
      const raw = await server.raw()
      raw.send(request('SUBSCRIBEANDHEAD', ['amid/heads'], '2'))
      const updates = []
      let version
      for (let acked = false; !acked || version === undefined;) {
        const next = await raw.next()
        if (next.isAck) acked = true
        else if (next.action === RECORD_ACTION.UPDATE) updates.push(next.version)
        else version = next.versions?.['amid/heads'] ?? next.version
      }
      assert.deepEqual(updates, updates.map((_, i) => version + 1 + i))
      found.push([raw, version + updates.length])
    }
  })
  for (const [raw, version] of found) await follow(raw, 'amid/heads', version, last)
})

test('many creators at once create once: no write is lost', async () => {
  const raws = await Promise.all(Array.from({ length: 30 }, () => server.raw()))
  for (const [i, raw] of raws.entries()) {
    raw.send(request('SUBSCRIBECREATEANDREAD', ['born']),
      record('CREATEANDPATCH', { name: 'born', version: -1, path: `by${i}`, data: String(i), isWriteAck: true, correlationId: 'mine' }))
  }
  await Promise.all(raws.map(raw => eventually('confirmation', async () => (await raw.next()).isWriteAck)))
  const reader = await server.raw()
  reader.send(record('READ', { name: 'born' }))
  const { version, data } = await reader.next()
  assert.equal(version, raws.length)
  assert.deepEqual(Object.values(JSON.parse(data)).sort((a, b) => a - b), raws.map((_, i) => i))
})

test('10,000 names in one request are all created, subscribed and answered', async () => {
  const names = Array.from({ length: 10_000 }, (_, i) => `many/${i}`)
  const [raw, writer] = [await server.raw(), await server.raw()]
  raw.send(request('SUBSCRIBECREATEANDREAD', names))
  assert.deepEqual(await raw.next(), { ...request('SUBSCRIBECREATEANDREAD', names), isAck: true })
  const missing = new Set(names)
  while (missing.size > 0) {
    const { name, ...rest } = await raw.next()
    assert.ok(missing.delete(name), name)
    assert.deepEqual(rest, (({ name: _, ...fields }) => fields)(snapshot(name, 0, '{}')))
  }
  for (const name of [names[0], names[4_999], names[9_999]]) {
    await store(writer, name, { a: 1 })
    await raw.expect(record('UPDATE', { name, version: 1, data: '{"a":1}' }))
  }
  const versions = await heads(writer, names)
  assert.equal(Object.keys(versions).length, names.length)
  assert.deepEqual([versions['many/0'], versions['many/1']], [1, 0])
})

for (const action of ['HEAD_BULK', 'CREATE', 'DELETE_BULK', 'SUBSCRIBECREATEANDUPDATE', 'WRITE_ACKNOWLEDGEMENT', 'READ_RESPONSE', 'UPDATE_NOBODY_KNOWS']) {
  test(`${action} is no request: nothing is changed by it`, async () => {
    const raw = await server.raw()
    raw.send({ ...record(action, { name: 'odd', version: -1, data: '{}' }), action: RECORD_ACTION[action] ?? 99 })
    await head(await server.raw(), 'odd', -1)
    raw.send(record('HEAD', { name: 'odd' }))
    const answers = [await raw.next()]
    if (answers[0].topic !== message('HEAD').topic) answers.push(await raw.next()) // PARSER UNKNOWN_ACTION is optional
    assert.deepEqual(answers.at(-1), record('HEAD_RESPONSE', { name: 'odd', version: -1 }))
  })
}

test('a newer client is served like any other', async () => {
  const raw = await modern(server)
  await subscribe(raw, 'newer')
  await read(raw, 'newer', 0, '{}')
})
