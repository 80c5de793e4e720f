// Permission files in the official format, against the official client and on the wire.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { event, record, rpc, presence } from '../lib/raw.mjs'
import { eventually, never, within } from '../lib/wait.mjs'

const RULES = `
record:
  "*":                { create: true, read: true, write: true, delete: true, listen: true, notify: true }
  "rights":           { create: "user.id === 'root'", write: "user.id === 'root'", read: true }
  "profile/$owner":   { write: "user.id === $owner", delete: "user.id === $owner" }
  "price/*":          { write: "data.value > 0 && (oldData === null || oldData.value === undefined || data.value >= oldData.value)" }
  "guarded/*":        { read: "_('rights')[user.id] === true", create: "_('rights')[user.id] === true" }
  "bids/$auction":    { write: "_('auctions/' + $auction).open === true && _('rights')[user.id] === true" }
  "auctions/*":       { write: "user.id === 'root'" }
  "secret/*":         { read: false, write: false, create: false, delete: false }
event:
  "*":                { publish: true, subscribe: true, listen: true }
  "news":             { publish: "user.id === 'root'" }
  "short":            { publish: "data.text.length < 5" }
  "secret/*":         { subscribe: false, publish: false, listen: false }
  "guarded/*":        { subscribe: "_('rights')[user.id] === true" }
rpc:
  "*":                { provide: true, request: true }
  "pay":              { provide: "user.id === 'root'", request: "data.amount < 100" }
presence:
  "*":                { allow: "user.id !== 'mallory'" }
`

const server = await serve(
  { permission: { type: 'config', options: { permissions: 'fileLoad(permissions.yml)' } } },
  { prepare: folder => writeFile(join(folder, 'permissions.yml'), RULES) })

const root = async () => {
  const client = await server.login('root')
  await within('rights', client.record.setDataWithAck('rights', { alice: true, 'w/ 1': true }))
  return client
}
const code = promise => within('a refusal', promise.then(() => 'allowed', error => error.message ?? String(error)))
const rulesFile = () => server.path('permissions.yml')
const reload = async (rules, expected) => {
  await writeFile(rulesFile(), rules)
  const before = server.log.length
  process.kill(server.pid, 'SIGHUP')
  await eventually(`reload that says ${expected}`, () => expected.test(server.log.slice(before)))
}

test('writes are judged by name, data and what is there', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  await within('own profile', alice.record.setDataWithAck('profile/alice', { age: 5 }))
  assert.match(await code(bob.record.setDataWithAck('profile/alice', { age: 6 })), /MESSAGE_DENIED/)
  assert.match(await code(bob.record.setDataWithAck('profile/alice', 'age', 6)), /MESSAGE_DENIED/)
  await within('path of the own profile', alice.record.setDataWithAck('profile/alice', 'age', 7))
  assert.deepEqual(await within('profile', bob.record.snapshot('profile/alice')), { age: 7 })

  await within('first price', alice.record.setDataWithAck('price/apple', { value: 3 }))
  await within('higher price', bob.record.setDataWithAck('price/apple', { value: 4 }))
  assert.match(await code(bob.record.setDataWithAck('price/apple', { value: 2 })), /MESSAGE_DENIED/)
  assert.match(await code(bob.record.setDataWithAck('price/apple', 'value', 3)), /MESSAGE_DENIED/, 'data of a patch is the patched record')
  await within('patched price', bob.record.setDataWithAck('price/apple', 'value', 5))
  await within('another member', bob.record.setDataWithAck('price/apple', 'unit', 'kg'))
  assert.match(await code(bob.record.setDataWithAck('price/apple', { unit: 'kg' })), /MESSAGE_DENIED/)
  assert.deepEqual(await within('price', alice.record.snapshot('price/apple')), { value: 5, unit: 'kg' })
})

test('rules that refer to other records', async () => {
  const admin = await root()
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const bid = { amount: 1 }
  assert.match(await code(alice.record.setDataWithAck('bids/chair', bid)), /MESSAGE_PERMISSION_ERROR/, 'there is no such auction')
  await within('auction', admin.record.setDataWithAck('auctions/chair', { open: true }))
  await within('bid', alice.record.setDataWithAck('bids/chair', bid))
  assert.match(await code(bob.record.setDataWithAck('bids/chair', bid)), /MESSAGE_DENIED/)
  await within('end of the auction', admin.record.setDataWithAck('auctions/chair', { open: false }))
  assert.match(await code(alice.record.setDataWithAck('bids/chair', bid)), /MESSAGE_DENIED/)

  const mine = alice.record.getRecord('guarded/1')
  await within('a guarded record', mine.whenReady())
  const theirs = bob.record.getRecord('guarded/1')
  const refused = new Promise(resolve => theirs.on('error', resolve))
  assert.match(String(await within('error of the record', refused)), /MESSAGE_DENIED/)
  assert.deepEqual(bob.errors.splice(0).filter(text => !/MESSAGE_DENIED/.test(text)), [])
})

// First, in the middle, last; by rules that decide at once and by rules that have to load a record.
for (const [what, denied] of [['a constant', 'secret/x'], ['a reference', 'guarded/x']]) {
  for (const at of [0, 1, 2]) {
    test(`a list with a name denied by ${what} at ${at}`, async () => {
      await root()
      const [raw, other] = [await server.raw('P3', 'bob'), await server.raw('P3', 'root')]
      const names = [`list/a${at}`, `list/b${at}`]
      names.splice(at, 0, denied)
      const refusal = { name: denied, isError: true, correlationId: 'c' }
      await raw.ask(event('SUBSCRIBE', { names, correlationId: 'c' }),
        event('MESSAGE_DENIED', { ...refusal, originalAction: event('SUBSCRIBE').action }),
        event('SUBSCRIBE', { isAck: true, correlationId: 'c' }))
      for (const name of names) other.send(event('EMIT', { name, data: '1' }))
      if (denied.startsWith('secret')) await other.expect(event('MESSAGE_DENIED', { name: denied, isError: true, originalAction: event('EMIT').action }))
      await other.settled()
      for (const name of names.filter(name => name !== denied)) await raw.expect(event('EMIT', { name, data: '1' }))
      await raw.quiet()

      raw.send(record('SUBSCRIBECREATEANDREAD', { names, correlationId: 'c' }))
      const replies = []
      for (let i = 0; i < 4; i++) replies.push(await raw.next())
      assert.deepEqual(replies[0], record('SUBSCRIBECREATEANDREAD', { isAck: true, names, correlationId: 'c' }))
      const action = name => replies.find(reply => reply.name === name)?.action
      for (const name of names) {
        assert.equal(action(name), record(name === denied ? 'MESSAGE_DENIED' : 'READ_RESPONSE').action, name)
      }
      await raw.quiet()
    })
  }
}

test('events, calls and presence', async () => {
  const admin = await root()
  const [alice, mallory] = [await server.login('alice'), await server.login('mallory')]
  const news = []
  alice.event.subscribe('news', data => news.push(data))
  alice.event.subscribe('short', data => news.push(data))
  await settled(alice)
  mallory.event.emit('news', 'false')
  admin.event.emit('news', 'true')
  mallory.event.emit('short', { text: 'far too long' })
  mallory.event.emit('short', 5) // undefined.length: an error of the rule
  mallory.event.emit('short', { text: 'ok' })
  await eventually('two events', () => news.length === 2)
  assert.deepEqual(news.sort((a, b) => typeof a === 'string' ? -1 : 1), ['true', { text: 'ok' }])

  admin.rpc.provide('pay', (data, response) => response.send(data.amount))
  await settled(admin)
  assert.equal(await within('a call', alice.rpc.make('pay', { amount: 99 })), 99)
  assert.match(await code(alice.rpc.make('pay', { amount: 100 })), /MESSAGE_DENIED/)
  assert.match(await code(alice.rpc.make('pay')), /MESSAGE_PERMISSION_ERROR/)
  assert.deepEqual((await within('users', alice.presence.getAll())).includes('root'), true)
  assert.match(await code(mallory.presence.getAll()), /MESSAGE_DENIED/)
  // The official client does not expect MESSAGE_PERMISSION_ERROR of an emit.
  assert.deepEqual(mallory.errors.splice(0).filter(text => !/MESSAGE_DENIED|UNSOLICITED_MESSAGE/.test(text)), [])
})

test('what a rule says is nobody else\'s business', async () => {
  const raw = await server.raw('P3', 'bob')
  await raw.request(record('CREATEANDUPDATE', { name: 'rights', version: -1, data: '{}', isWriteAck: true, correlationId: 'c' }),
    record('MESSAGE_DENIED', { name: 'rights', isError: true, isWriteAck: true, correlationId: 'c', originalAction: record('CREATEANDUPDATE').action }))
  await raw.request(rpc('REQUEST', { name: 'pay', correlationId: 'c', data: '{"amount":' }),
    rpc('MESSAGE_PERMISSION_ERROR', { name: 'pay', isError: true, correlationId: 'c', originalAction: rpc('REQUEST').action }))
  const mallory = await server.raw('P3', 'mallory')
  await mallory.request(presence('SUBSCRIBE_ALL'),
    presence('MESSAGE_DENIED', { isError: true, originalAction: presence('SUBSCRIBE_ALL').action }))
})

test('new rules take back what they no longer allow', async () => {
  const admin = await root()
  const alice = await server.login('alice')
  const [heard, updates] = [[], []]
  for (const name of ['open/1', 'guarded/e']) alice.event.subscribe(name, data => heard.push([name, data]))
  const doc = alice.record.getRecord('open/1')
  await within('record', doc.whenReady())
  doc.subscribe('n', n => updates.push(n))
  doc.on('error', () => {})
  await settled(alice)
  admin.event.emit('open/1', 1)
  admin.event.emit('guarded/e', 1)
  await eventually('both events', () => heard.length === 2)

  await reload(RULES.replace('event:\n', 'event:\n  "open/*": { subscribe: false, publish: true }\n')
    .replace('record:\n', 'record:\n  "open/*": { read: "user.id === \'root\'", write: true, create: true }\n'), /in effect now/)
  await eventually('both refusals', () => alice.errors.length >= 1)
  admin.event.emit('open/1', 2)
  admin.event.emit('guarded/e', 2)
  await within('write', admin.record.setDataWithAck('open/1', { n: 2 }))
  await eventually('the event that is still allowed', () => heard.length === 3)
  await never('a revoked event or update', () => heard.length > 3 || updates.length > 0)
  assert.ok(alice.errors.splice(0).every(text => /MESSAGE_DENIED/.test(text)))

  await reload(RULES.replace("user.id === 'root'", "user.id === === 'root'"), /permissions\.yml.*line|permissions\.yml:\d+/s)
  server.log = server.log.replace(/^.*"level":50.*permissions\.yml.*$/m, '') // provoked
  const bob = await server.login('bob')
  assert.match(await code(bob.record.snapshot('open/1')), /MESSAGE_DENIED/, 'the rules before it stay')
  await reload(RULES, /in effect now/)
  await within('allowed again', bob.record.snapshot('open/1'))
})
