// Record requests no proper client sends: each has at most the outcome it deserves, and nobody else notices.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acked, conflict, head, read, store, subscribe, written } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { auth, record, RECORD_ACTION, TOPIC } from '../lib/raw.mjs'
import { eventually } from '../lib/wait.mjs'

const server = await serve()

const REFUSALS = ['RECORD_UPDATE_ERROR', 'INVALID_MESSAGE_DATA'].map(action => RECORD_ACTION[action])

/** The one answer to an acknowledged write: true if it was accepted; a refusal says so. */
async function accepted (raw, write) {
  raw.send({ ...write, ...acked('odd') })
  const { action, isError, isWriteAck, correlationId } = await raw.next()
  assert.deepEqual([isWriteAck, correlationId], [true, 'odd'])
  if (action === RECORD_ACTION.WRITE_ACKNOWLEDGEMENT) return true
  assert.ok(REFUSALS.includes(action) && isError)
  return false
}

for (const [what, name] of [['no name', undefined], ['an empty name', ''], ['a name beyond 65,535 bytes', 'n'.repeat(70_000)]]) {
  test(`${what} is refused`, async () => {
    const raw = await server.raw()
    for (const [action, fields] of [['UPDATE', { data: '{}' }], ['PATCH', { path: 'a', data: '1' }], ['ERASE', { path: 'a' }],
      ['CREATEANDUPDATE', { data: '{}' }], ['CREATEANDPATCH', { path: 'a', data: '1' }]]) {
      assert.equal(await accepted(raw, record(action, { version: -1, ...(name !== undefined && { name }), ...fields })), false)
    }
    for (const action of ['READ', 'HEAD', 'DELETE']) raw.send(record(action, { ...(name !== undefined && { name }) }))
    raw.send(record('HEAD', { name: 'proper' }))
    for (let reply; reply?.name !== 'proper';) {
      reply = await raw.next()
      assert.ok(reply.isError || reply.name === 'proper', 'no success without a name')
    }
  })
}

test('names that are empty or too long do not keep the others of a request from being served', async () => {
  const raw = await server.raw()
  raw.send(record('SUBSCRIBECREATEANDREAD', { names: ['', 'served/1', 'n'.repeat(70_000), 'served/2'], correlationId: '1' }))
  const served = new Set()
  await eventually('both', async () => {
    const { action, name } = await raw.next()
    if (action === RECORD_ACTION.READ_RESPONSE) served.add(name)
    return served.has('served/1') && served.has('served/2')
  })
  assert.equal(served.size, 2)
})

test('foreign fields are not passed on', async () => {
  const [writer, other] = [await server.raw(), await server.raw()]
  await subscribe(other, 'foreign')
  writer.send(record('UPDATE', {
    name: 'foreign', version: 1, data: '{"a":1}', names: ['x'], subscription: 's', pattern: 'p', isError: true, isAck: true,
    originalAction: 3, versions: { x: 1 }, ...acked('1')
  }))
  await writer.expect(written('foreign', '1'))
  await other.expect(record('UPDATE', { name: 'foreign', version: 1, data: '{"a":1}' }))
})

test('present zero values equal absent ones, but for the version', async () => {
  const [writer, other] = [await server.raw(), await server.raw()]
  await subscribe(other, 'zero')
  writer.send(record('UPDATE', { name: 'zero', version: 1, data: '{"a":1}', path: '', correlationId: '', isWriteAck: false, isAck: false, originalAction: 0 }))
  await read(writer, 'zero', 1, '{"a":1}')
  await other.expect(record('UPDATE', { name: 'zero', version: 1, data: '{"a":1}' }))
})

test('a correlation id without a wish for an acknowledgement comes back alone', async () => {
  const raw = await server.raw()
  await store(raw, 'alone', {})
  await raw.ask(record('UPDATE', { name: 'alone', version: 1, data: '{}', correlationId: '1' }),
    conflict('UPDATE', 'alone', 1, '{}', { correlationId: '1' }))
  await head(raw, 'alone', 1)
})

test('a write before the login is refused and not done later', async () => {
  const raw = await server.raw('P2')
  await raw.ask(record('CREATEANDUPDATE', { name: 'early', version: -1, data: '{}' }), auth('INVALID_MESSAGE'))
  await raw.login('late')
  await head(raw, 'early', -1)
})

for (const [what, data] of [
  ['arrays nested 100,000 deep', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['objects nested 50,000 deep', '{"a":'.repeat(50_000) + '1' + '}'.repeat(50_000)],
  ['100,000 keys', `{${Array.from({ length: 100_000 }, (_, i) => `"${i}":1`).join()}}`],
  ['one key 20,000 times', `{${'"a":1,'.repeat(20_000)}"a":2}`],
  ['a number of 100,000 digits', `{"n":${'9'.repeat(100_000)}}`],
]) {
  test(`${what}: accepted or refused, and readable either way`, async () => {
    const raw = await server.raw()
    await store(raw, what, { fine: true })
    const taken = await accepted(raw, record('UPDATE', { name: what, version: 2, data }))
    raw.send(record('READ', { name: what }))
    const answer = await raw.next()
    assert.deepEqual([answer.topic, answer.version], [TOPIC.RECORD, taken ? 2 : 1])
    if (!taken) assert.equal(answer.data, '{"fine":true}')
    assert.equal(await accepted(raw, record('UPDATE', { name: what, version: -1, data: '{"fine":"again"}' })), true)
  })
}

for (const [what, path] of [
  ['a path of 100,000 steps', 'a.'.repeat(100_000)],
  ['a key of 100,000 bytes', 'k'.repeat(100_000)],
  ['100,000 brackets', `a${'[0]'.repeat(100_000)}`],
  ['brackets without sense', 'a]][[0[b'],
  ['an index beyond every array', 'list[99999999999999999999]'],
]) {
  test(`${what}: accepted or refused, and readable either way`, async () => {
    const raw = await server.raw()
    await store(raw, what, { list: [] })
    const taken = await accepted(raw, record('PATCH', { name: what, version: 2, path, data: '1' }))
    await head(raw, what, taken ? 2 : 1)
    assert.equal(await accepted(raw, record('UPDATE', { name: what, version: -1, data: '{}' })), true)
  })
}

test('who writes and vanishes has written whole messages or nothing', async () => {
  const reader = await server.raw()
  await subscribe(reader, 'vanish')
  const writers = await Promise.all(Array.from({ length: 10 }, () => server.raw()))
  for (const writer of writers) {
    for (let i = 0; i < 50; i++) writer.send(record('UPDATE', { name: 'vanish', version: -1, data: '{"whole":true}', ...acked(String(i)) }))
    writer.destroy()
  }
  for (let round = 0, seen = 0; round < 20; round++) {
    reader.send(record('HEAD', { name: 'vanish' }))
    for (;;) {
      const next = await reader.next()
      if (next.action === RECORD_ACTION.HEAD_RESPONSE) {
        assert.equal(next.version, seen)
        break
      }
      assert.deepEqual(next, record('UPDATE', { name: 'vanish', version: ++seen, data: '{"whole":true}' }))
    }
  }
})
