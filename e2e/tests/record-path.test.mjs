// Paths and patches: what the server makes of them is what clients make of them.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { acked, message, open, store, written } from '../lib/record.mjs'
import { serve, settled } from '../lib/server.mjs'
import { record } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const { setValue } = createRequire(import.meta.url)('@deepstream/client/dist/src/record/json-path.js')
const server = await serve()

const ERASED = undefined

// [data before, path, value, data after]; texts, because key order counts
const patches = [
  ['{"a":1}', 'a', 2, '{"a":2}'],
  ['{"a":1}', 'b', 2, '{"a":1,"b":2}'],
  ['{}', 'a.b.c', 1, '{"a":{"b":{"c":1}}}'],
  ['{"a":{"x":1}}', 'a.b', 2, '{"a":{"x":1,"b":2}}'],
  ['{}', ' a . b ', 1, '{"a":{"b":1}}'],
  ['{}', 'a..b', 1, '{"a":{"b":1}}'],
  ['{}', '.a.', 1, '{"a":1}'],
  ['{}', 'a b.c d', 1, '{"a b":{"c d":1}}'],
  ['{}', 'ключ.🔑."\\', 1, '{"ключ":{"🔑":{"\\"\\\\":1}}}'],
  ['{"é":1}', 'é', 2, '{"é":2}'],
  ['{"\\u00e9":1,"\\u0061":2}', 'é', 3, '{"é":3,"a":2}'], // keys are equal whatever way they are spelled
  ['{"a":1}', '', 2, null], // an empty path means the whole record, see the writing tests
  // containers
  ['{"a":null}', 'a.b', 1, '{"a":{"b":1}}'],
  ['{"a":null}', 'a[1]', 1, '{"a":[null,1]}'],
  ['{"a":5}', 'a.b', 1, '{"a":{"b":1}}'],
  ['{"a":"text"}', 'a[0]', 1, '{"a":[1]}'],
  ['{"a":false}', 'a.b.c', 1, '{"a":{"b":{"c":1}}}'],
  // arrays
  ['{}', 'a[0]', 1, '{"a":[1]}'],
  ['{}', 'a[3]', 1, '{"a":[null,null,null,1]}'],
  ['{}', 'a[1][2].b', 1, '{"a":[null,[null,null,{"b":1}]]}'],
  ['{"a":[1,2,3]}', 'a[1]', 9, '{"a":[1,9,3]}'],
  ['{"a":[1]}', 'a[3]', 9, '{"a":[1,null,null,9]}'],
  ['{"a":[{"b":1}]}', 'a[0].c', 2, '{"a":[{"b":1,"c":2}]}'],
  ['{"a":[{"b":1}]}', 'a[0]c', 2, null], // not a number: below
  ['{"a":[1,2]}', 'a.1', 9, '{"a":[1,9]}'],
  ['{}', 'a.1', 9, '{"a":{"1":9}}'],
  ['{"a":{}}', 'a[1]', 9, '{"a":{"1":9}}'],
  ['{"a":{}}', 'a[-1]', 9, '{"a":{"-1":9}}'],
  ['{}', 'a[ 2 ]', 1, '{"a":[null,null,1]}'],
  ['{}', 'a[1e1]', 1, '{"a":[null,null,null,null,null,null,null,null,null,null,1]}'],
  ['{"a":[1]}', 'a[0.5]', 9, '{"a":[{"5":9}]}'], // dots come first
  ['{}', 'a[0x2]', 1, '{"a":[null,null,1]}'],
  ['{}', '[0]', 1, '{"":[1]}'],
  ['["x","y"]', '0', 'z', '["z","y"]'],
  ['[{"a":1}]', '0.a', 2, '[{"a":2}]'],
  ['[1]', '2', 3, '[1,null,3]'],
  // lost in JSON: nothing changes, but the version counts
  ['{"a":[1]}', 'a.foo', 9, '{"a":[1]}'],
  ['{"a":[1]}', 'a.01', 9, '{"a":[1]}'],
  ['{"a":[1]}', 'a[-1]', 9, '{"a":[1]}'],
  ['{"a":[1]}', 'a[x]', 9, '{"a":[1]}'],
  // erasing
  ['{"a":1,"b":2}', 'a', ERASED, '{"b":2}'],
  ['{"a":1,"b":2,"c":3}', 'b', ERASED, '{"a":1,"c":3}'],
  ['{"a":{"b":1}}', 'a.b', ERASED, '{"a":{}}'],
  ['{"a":1}', 'x', ERASED, '{"a":1}'],
  ['{"a":[1,2,3]}', 'a[1]', ERASED, '{"a":[1,null,3]}'],
  ['{"a":[1]}', 'a[5]', ERASED, '{"a":[1]}'],
  ['{}', 'g.h.i', ERASED, '{"g":{"h":{}}}'],
  ['{"a":null}', 'a.b', ERASED, '{"a":{}}'],
  // key order
  ['{"c":1,"b":2,"a":3}', 'b', 9, '{"c":1,"b":9,"a":3}'],
  ['{"c":1}', 'a', { z: 1, y: { x: 2, w: 3 } }, '{"c":1,"a":{"z":1,"y":{"x":2,"w":3}}}'],
  // values
  ['{}', 'a', null, '{"a":null}'],
  ['{}', 'a', 0, '{"a":0}'],
  ['{}', 'a', '', '{"a":""}'],
  ['{}', 'a', false, '{"a":false}'],
  ['{}', 'a', [], '{"a":[]}'],
  ['{"a":{"b":1}}', 'a', 'Grüße 🚀 \u2028', '{"a":"Grüße 🚀 \u2028"}'],
].filter(([, , , after]) => after !== null)

const normal = text => JSON.stringify(JSON.parse(text))

/** What READ says of `name`: [version, data with white space and number spelling evened out]. */
async function stored (raw, name) {
  raw.send(record('READ', { name }))
  const { version, data } = await raw.next()
  return [version, normal(data)]
}

/** Writes `value` at `path`. */
const patch = (raw, name, version, path, value) => raw.ask(record(value === ERASED ? 'ERASE' : 'PATCH',
  { name, version, path, ...(value !== ERASED && { data: JSON.stringify(value) }), ...acked('p') }), written(name, 'p'))

/** Writes several values at their paths at once. */
const patchAll = (raw, name, version, parts) =>
  raw.ask(message('PATCH_MULTI', { name, version, data: JSON.stringify(parts), ...acked('m') }), written(name, 'm'))

for (const [i, [before, path, value, after]] of patches.entries()) {
  test(`${before} with ${path} ${value === ERASED ? 'erased' : `= ${JSON.stringify(value)}`} is ${after}`, async () => {
    assert.equal(JSON.stringify(setValue(JSON.parse(before), path, value)), after, 'what the official client has')
    const [raw, name] = [await server.raw(), `path/${i}`]
    await store(raw, name, JSON.parse(before))
    await patch(raw, name, 2, path, value)
    assert.deepEqual(await stored(raw, name), [2, normal(after)])
    const multi = `multi/${i}`
    await store(raw, multi, JSON.parse(before))
    await patchAll(raw, multi, 2, [{ path, data: value }])
    assert.deepEqual(await stored(raw, multi), [2, normal(after)])
  })
}

test('a key that was erased comes back at the end', async () => {
  const [raw, name] = [await server.raw(), 'back']
  await store(raw, name, { a: 1, b: 2 })
  await patch(raw, name, 2, 'a', ERASED)
  await patch(raw, name, 3, 'a', 1)
  assert.deepEqual(await stored(raw, name), [3, '{"b":2,"a":1}'])
})

test('the parts of one PATCH_MULTI build on each other, in order', async () => {
  const [raw, name] = [await server.raw(), 'parts']
  await store(raw, name, { a: 1 })
  const parts = [{ path: 'b.c', data: 1 }, { path: 'b.d[1]', data: 2 }, { path: 'b.c' }, { path: 'a', data: { e: null } }, { path: 'a.e.f', data: 3 }]
  await patchAll(raw, name, 2, parts)
  assert.deepEqual(await stored(raw, name), [2, '{"a":{"e":{"f":3}},"b":{"d":[null,2]}}'])
})

test('nesting as deep as a path goes', async () => {
  const [raw, name] = [await server.raw(), 'deep']
  const path = Array.from({ length: 50 }, (_, i) => `k${i}`).join('.')
  await store(raw, name, {})
  await patch(raw, name, 2, path, 1)
  assert.deepEqual(await stored(raw, name), [2, JSON.stringify(setValue({}, path, 1))])
})

/** Numbers from 0 to below 1, the same ones every time (mulberry32). */
function * numbers (seed) {
  for (;;) {
    seed = (seed + 0x6d2b79f5) | 0
    let n = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n
    yield ((n ^ (n >>> 14)) >>> 0) / 2 ** 32
  }
}

test('any sequence of patches leaves writer, subscriber and server with the same text', async () => {
  const random = numbers(7)
  const pick = list => list[Math.floor(random.next().value * list.length)]
  const keys = ['a', 'b', 'c', 'd d', 'é', '0', '7']
  const values = [null, 0, 1.5, true, '', 'x', [], {}, [1, { z: 1, a: [null] }], { y: { b: 1, a: 2 } }, ERASED, ERASED]
  const step = () => pick(keys) + (random.next().value < 0.3 ? `[${pick([0, 1, 4])}]` : '')
  const [writer, subscriber] = [await server.login('writer'), await server.login('subscriber')]
  const [ours, theirs] = [await open(writer, 'any'), await open(subscriber, 'any')]
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 25; i++) {
      const path = Array.from({ length: pick([1, 2, 3]) }, step).join('.')
      const value = pick(values)
      // Erasing the fifth element of a missing array leaves the client with four nulls, the official server with none.
      if (value !== ERASED || !path.endsWith(']')) ours.set(path, value)
    }
    await settled(writer)
    await eventually('all updates', () => theirs.version === ours.version)
    assert.equal(JSON.stringify(theirs.get()), JSON.stringify(ours.get()))
    const reader = await server.login('reader')
    assert.equal(JSON.stringify(await within('snapshot', reader.record.snapshot('any'))), JSON.stringify(ours.get()))
    assert.equal(await within('head', reader.record.head('any')), ours.version)
    reader.close()
  }
})
