// Writing: what the writer is told and what the others get, for every outcome, field by field.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acked, conflict, head, message, modern, read, refused, store, subscribe, written } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { record, RECORD_ACTION } from '../lib/raw.mjs'

const server = await serve()

let count = 0

/** A writer, a subscriber of the newest kind, and a record of version 1, `{"a":1}`. */
async function scene () {
  const name = `write/${count++}`
  const [writer, other] = [await server.raw(), await modern(server)]
  await store(writer, name, { a: 1 })
  await subscribe(writer, name, 1, '{"a":1}')
  await subscribe(other, name, 1, '{"a":1}')
  return { name, writer, other }
}

const MULTI = '[{"path":"b.c","data":[1]},{"path":"a"}]'

// [request, its fields, what others get, data afterwards]
const writes = [
  ['UPDATE', { data: '{"b":2}' }, ['UPDATE', { data: '{"b":2}' }], '{"b":2}'],
  ['UPDATE', { data: '["x"]' }, ['UPDATE', { data: '["x"]' }], '["x"]'],
  ['PATCH', { path: 'b.c', data: '2' }, ['PATCH', { path: 'b.c', data: '2' }], '{"a":1,"b":{"c":2}}'],
  ['PATCH', { path: 'a', data: '0' }, ['PATCH', { path: 'a', data: '0' }], '{"a":0}'],
  ['PATCH', { path: 'a', data: 'false' }, ['PATCH', { path: 'a', data: 'false' }], '{"a":false}'],
  ['PATCH', { path: 'a', data: 'null' }, ['PATCH', { path: 'a', data: 'null' }], '{"a":null}'],
  ['PATCH', { path: 'a', data: '""' }, ['PATCH', { path: 'a', data: '""' }], '{"a":""}'],
  ['ERASE', { path: 'a' }, ['PATCH', { path: 'a' }], '{}'],
  ['PATCH_MULTI', { data: MULTI }, ['PATCH_MULTI', { data: MULTI }], '{"b":{"c":[1]}}'],
  ['CREATEANDUPDATE', { data: '{"b":2}' }, ['UPDATE', { data: '{"b":2}' }], '{"b":2}'],
  ['CREATEANDPATCH', { path: 'b', data: '2' }, ['PATCH', { path: 'b', data: '2' }], '{"a":1,"b":2}'],
  ['UPDATE', { path: 'b', data: '2' }, ['PATCH', { path: 'b', data: '2' }], '{"a":1,"b":2}'],
  ['PATCH', { data: '{"b":2}' }, ['UPDATE', { data: '{"b":2}' }], '{"b":2}'],
  ['PATCH', { path: '', data: '{"b":2}' }, ['UPDATE', { data: '{"b":2}' }], '{"b":2}'],
  ['PATCH', { path: 'a' }, ['PATCH', { path: 'a' }], '{}'],
]

/** What a request is judged and relayed as. */
const judgedAs = (action, { path }) => action === 'PATCH_MULTI' ? action : path ? 'PATCH' : 'UPDATE'

for (const [action, fields, [relayed, relayedFields], after] of writes) {
  const request = (name, version) => message(action, { name, version, ...fields })
  const broadcast = (name, version) => message(relayed, { name, version, ...relayedFields })
  const what = `${action} ${JSON.stringify(fields)}`

  test(`${what}, next version`, async () => {
    const { name, writer, other } = await scene()
    writer.send(request(name, 2))
    await read(writer, name, 2, after) // and no echo
    await other.expect(broadcast(name, 2))
    await head(other, name, 2)
  })

  test(`${what}, any version, acknowledged`, async () => {
    const { name, writer, other } = await scene()
    await writer.ask({ ...request(name, -1), ...acked('7') }, written(name, '7'))
    await other.expect(broadcast(name, 2))
    await read(writer, name, 2, after)
  })

  for (const [version, age] of [[1, 'taken'], [0, 'past'], [undefined, 'absent']]) {
    test(`${what}, ${age} version`, async () => {
      const { name, writer, other } = await scene()
      const refusal = conflict(judgedAs(action, fields), name, 1, '{"a":1}')
      await writer.ask(request(name, version), refusal)
      await head(writer, name, 1)
      await writer.ask({ ...request(name, version), ...acked('7') }, { ...refusal, ...acked('7') },
        refused('RECORD_UPDATE_ERROR', judgedAs(action, fields), { name, ...acked('7') }))
      await head(writer, name, 1)
      await head(other, name, 1)
    })
  }

  test(`${what}, version from the future`, async () => {
    const { name, writer, other } = await scene()
    const { path, ...echo } = { ...fields }
    for (const asked of [{}, acked('7')]) {
      writer.send({ ...request(name, 3), ...asked })
      const { version, ...refusal } = await writer.next() // whose version is told is left open
      assert.ok([1, 3].includes(version))
      assert.deepEqual(refusal, refused('INVALID_VERSION', judgedAs(action, fields), { name, ...echo, ...(path && { path }), ...asked }))
    }
    await head(other, name, 1)
    writer.send(request(name, 2)) // the record is as usable as before
    await read(writer, name, 2, after)
  })
}

for (const action of ['UPDATE', 'PATCH', 'ERASE', 'PATCH_MULTI']) {
  test(`${action} of a missing record fails and creates nothing`, async () => {
    const [raw, name] = [await server.raw(), `missing/${action}`]
    const data = { UPDATE: '{}', PATCH: '1', ERASE: undefined, PATCH_MULTI: MULTI }[action]
    const write = message(action, { name, version: 1, ...(data && { data }), ...(action !== 'UPDATE' && action !== 'PATCH_MULTI' && { path: 'a' }) })
    for (const version of [1, -1]) {
      await raw.ask({ ...write, version }, record('RECORD_UPDATE_ERROR', { name, isError: true }))
      await raw.ask({ ...write, version, ...acked('7') }, record('RECORD_UPDATE_ERROR', { name, isError: true, ...acked('7') }))
    }
    await head(raw, name, -1)
  })
}

for (const [action, fields, after] of [
  ['CREATEANDUPDATE', { data: '{"a":1}' }, '{"a":1}'],
  ['CREATEANDUPDATE', { data: '[]' }, '[]'],
  ['CREATEANDPATCH', { path: 'a.b[1]', data: '1' }, '{"a":{"b":[null,1]}}'],
]) {
  for (const version of [-1, 1]) {
    test(`${action} ${JSON.stringify(fields)} with version ${version} creates version 1 and does not subscribe`, async () => {
      const [raw, other, name] = [await server.raw(), await server.raw(), `create/${count++}`]
      raw.send(record(action, { name, version, ...fields }))
      await read(raw, name, 1, after)
      await store(other, name, { b: 2 })
      await head(raw, name, 2)
    })
  }

  test(`${action} ${JSON.stringify(fields)} of a missing record with any other version is refused`, async () => {
    const [raw, name] = [await server.raw(), `create/${count++}`]
    await raw.ask(record(action, { name, version: 0, ...fields, ...acked('7') }),
      conflict(judgedAs(action, fields), name, 0, '{}', acked('7')),
      refused('RECORD_UPDATE_ERROR', judgedAs(action, fields), { name, ...acked('7') }))
    raw.send(record(action, { name, version: 2, ...fields, ...acked('8') }))
    const { version, ...refusal } = await raw.next()
    assert.deepEqual(refusal, refused('INVALID_VERSION', judgedAs(action, fields), { name, ...fields, ...acked('8') }))
    raw.send(record(action, { name, version: 1, ...fields }))
    await read(raw, name, 1, after)
  })
}

test('an old client gets the whole record instead of PATCH_MULTI', async () => {
  const { name, writer, other } = await scene()
  const old = await subscribe(await server.raw(), name, 1, '{"a":1}')
  writer.send(message('PATCH_MULTI', { name, version: 2, data: MULTI }))
  await other.expect(message('PATCH_MULTI', { name, version: 2, data: MULTI }))
  await old.expect(record('UPDATE', { name, version: 2, data: '{"b":{"c":[1]}}' }))
})

const twoPaths = (first, second) => JSON.stringify([first, second])

// [request, its fields]: INVALID_MESSAGE_DATA, and the record stays as it is
const invalid = [
  ...['1', '"text"', 'null', 'true', undefined].map(data => ['UPDATE', { ...(data && { data }) }]),
  ['CREATEANDUPDATE', { data: 'null' }],
  ['ERASE', {}],
  ...['__proto__', 'a.__proto__.b', 'constructor', 'prototype', 'a.constructor.prototype', '__proto__[0]'].flatMap(path => [
    ['PATCH', { path, data: '1' }],
    ['ERASE', { path }],
    ['PATCH_MULTI', { data: twoPaths({ path: 'a', data: 2 }, { path, data: 1 }) }],
  ]),
  ['PATCH', { path: ' . ', data: '1' }],
  ['PATCH', { path: '..', data: '{}' }],
  ['PATCH', { path: 'list[4000000000]', data: '1' }],
  ['PATCH', { path: 'list.deep[200001][1]', data: '1' }],
  ...['{}', '[]', '"a"', 'null', '[1]', '[null]', '[{}]', '[{"path":1,"data":1}]', '[{"path":"","data":1}]', '[{"path":" ","data":1}]', undefined]
    .map(data => ['PATCH_MULTI', { ...(data && { data }) }]),
  ['PATCH_MULTI', { data: twoPaths({ path: 'a', data: 2 }, {}) }],
  ['PATCH_MULTI', { data: twoPaths({ path: 'a', data: 2 }, { path: 'b[4000000000]', data: 1 }) }],
]

for (const [action, fields] of invalid) {
  test(`${action} ${JSON.stringify(fields)} is invalid, acknowledged or not`, async () => {
    const { name, writer, other } = await scene()
    for (const asked of [{}, acked('7')]) {
      await writer.ask(message(action, { name, version: 2, ...fields, ...asked }),
        refused('INVALID_MESSAGE_DATA', judgedAs(action, fields), { name, version: 2, ...fields, ...asked }))
    }
    await read(writer, name, 1, '{"a":1}')
    await head(other, name, 1)
  })
}

for (const data of ['', '{', '{"a":}', '{"a":1}}', "{'a':1}", '{"a":01}', '[1,]', 'undefined', '{"a":"\u0001"}']) {
  test(`${JSON.stringify(data)} is not JSON: it is neither stored nor sent on nor sent back`, async () => {
    const { name, writer, other } = await scene()
    for (const [action, path] of [['UPDATE'], ['PATCH', 'b'], ['CREATEANDUPDATE'], ['CREATEANDPATCH', 'b'], ['PATCH_MULTI']]) {
      for (const asked of [{}, acked('7')]) {
        writer.send(message(action, { name, version: 2, data, ...(path && { path }), ...asked }))
        const { originalAction, version, path: _, ...refusal } = await writer.next() // whether these are told is left open
        assert.deepEqual(refusal, record('INVALID_MESSAGE_DATA', { name, isError: true, ...asked }))
      }
    }
    await read(writer, name, 1, '{"a":1}')
    await head(other, name, 1)
  })
}

test('data is stored and sent on as it was written', async () => {
  const { name, writer, other } = await scene()
  const data = '{"z":1.0,"a":{"y":"\\u00e9é\\ud800","b":[1e2,-0]},"10":1,"2":[]}'
  writer.send(record('UPDATE', { name, version: 2, data }))
  const { data: relayed, ...rest } = await other.next()
  assert.deepEqual(rest, record('UPDATE', { name, version: 2 }))
  for (const text of [relayed, (await read2(writer, name)).data]) {
    assert.equal(JSON.stringify(JSON.parse(text)), JSON.stringify(JSON.parse(data)))
  }
})

/** Reads without expecting anything in particular. */
async function read2 (raw, name) {
  raw.send(record('READ', { name }))
  return raw.next()
}

test('of two writers of one version exactly one wins, and the loser learns what won', async () => {
  for (let round = 0; round < 40; round++) {
    const name = `race/${round}`
    const raws = [await server.raw(), await server.raw()]
    for (const raw of raws) await subscribe(raw, name)
    const mine = i => `{"by":${i}}`
    raws.forEach((raw, i) => raw.send(record('UPDATE', { name, version: 1, data: mine(i), ...acked(`w${i}`) })))
    const first = [await raws[0].next(), await raws[1].next()]
    const winner = first.findIndex(reply => reply.action === RECORD_ACTION.WRITE_ACKNOWLEDGEMENT)
    const loser = 1 - winner
    assert.deepEqual(first[winner], written(name, `w${winner}`))
    assert.deepEqual(first[loser], record('UPDATE', { name, version: 1, data: mine(winner) }))
    await raws[loser].expect(conflict('UPDATE', name, 1, mine(winner), acked(`w${loser}`)),
      refused('RECORD_UPDATE_ERROR', 'UPDATE', { name, ...acked(`w${loser}`) }))
    for (const raw of raws) await read(raw, name, 1, mine(winner))
    raws.forEach(raw => raw.close())
  }
})

test('every acknowledged write in flight gets its own confirmation, whoever else writes', async () => {
  const WRITES = 100
  const raws = await Promise.all(Array.from({ length: 4 }, () => server.raw()))
  await store(raws[0], 'busy', {})
  for (let i = 0; i < WRITES; i++) {
    raws.forEach((raw, w) => raw.send(record('PATCH', { name: 'busy', version: -1, path: `w${w}`, data: String(i), ...acked(String(i)) })))
  }
  for (const raw of raws) {
    const ids = []
    while (ids.length < WRITES) {
      const { correlationId, ...rest } = await raw.next()
      assert.deepEqual({ ...rest, correlationId }, written('busy', correlationId))
      ids.push(Number(correlationId))
    }
    assert.deepEqual(ids.sort((a, b) => a - b), ids.map((_, i) => i))
  }
  const last = WRITES - 1
  for (const raw of raws) { // when the writes of all are confirmed
    const { version, data } = await read2(raw, 'busy')
    assert.equal(version, 1 + WRITES * raws.length)
    assert.deepEqual(JSON.parse(data), { w0: last, w1: last, w2: last, w3: last })
  }
})

test('many writers, many subscribers: one order for all, without gaps', async () => {
  const [WRITERS, WRITES] = [8, 50]
  const readers = await Promise.all(Array.from({ length: 4 }, () => server.raw()))
  const writers = await Promise.all(Array.from({ length: WRITERS }, () => server.raw()))
  for (const raw of readers) await subscribe(raw, 'order')
  for (let i = 0; i < WRITES; i++) {
    writers.forEach((raw, w) => raw.send(record('UPDATE', { name: 'order', version: -1, data: `[${w},${i}]` })))
  }
  const seen = []
  for (let version = 1; version <= WRITERS * WRITES; version++) {
    const updates = []
    for (const raw of readers) updates.push(await raw.next())
    for (const update of updates) assert.deepEqual(update, record('UPDATE', { name: 'order', version, data: updates[0].data }))
    seen.push(JSON.parse(updates[0].data))
  }
  for (let w = 0; w < WRITERS; w++) { // each writer's own order is kept
    assert.deepEqual(seen.filter(([by]) => by === w).map(([, i]) => i), Array.from({ length: WRITES }, (_, i) => i))
  }
})

test('the last versions an int32 can count', async () => {
  const raw = await server.raw()
  await store(raw, 'int32', {})
  for (const version of [-2, -(2 ** 31)]) await raw.ask(record('UPDATE', { name: 'int32', version, data: '{}' }), conflict('UPDATE', 'int32', 1, '{}'))
  raw.send(record('UPDATE', { name: 'int32', version: 2 ** 31 - 1, data: '{}' }))
  assert.equal((await raw.next()).action, RECORD_ACTION.INVALID_VERSION)
  await head(raw, 'int32', 1)
})
