// Somebody who may do nothing about a name tries every action there is, with every combination of fields, on every door.
// He is to see nothing of it and to change nothing, whether the rule says no, cannot be evaluated, or has to read a record.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { encode, event, record, rpc, presence, TOPIC } from '../lib/raw.mjs'
import { serve } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const guards = { no: 'false', error: "user.data.a.b.c === 1", record: "_('rights')[user.id] === true", old: "oldData.token === 'no such'" }
const asked = { record: ['create', 'read', 'write', 'delete', 'listen', 'notify'], event: ['publish', 'subscribe', 'listen'], rpc: ['provide', 'request'] }
const isRoot = rule => `user.id === 'root' || ${rule}`
const paths = (section, guard) => asked[section].map(type => // oldData is not to be had everywhere
  [type, isRoot(guard === 'old' && !(section === 'record' && ['read', 'write', 'delete'].includes(type)) ? 'false' : guards[guard])])
const rules = {
  record: { '*': Object.fromEntries(asked.record.map(type => [type, true])) },
  event: { '*': Object.fromEntries(asked.event.map(type => [type, true])) },
  rpc: { '*': Object.fromEntries(asked.rpc.map(type => [type, true])) },
  presence: { '*': { allow: "user.id !== 'mallory'" } }
}
for (const section of Object.keys(asked)) {
  for (const guard of Object.keys(guards)) rules[section][`${guard}/*`] = Object.fromEntries(paths(section, guard))
  rules[section].undefined = Object.fromEntries(asked[section].map(type => [type, isRoot('false')]))
}

const server = await serve({
  permission: { type: 'config', options: { permissions: 'fileLoad(permissions.json)' } },
  httpServer: { options: { loops: 3 } }, storage: { type: 'none' }, rpc: { ackTimeout: 200 },
  connectionEndpoints: [{ type: 'ws-binary' }, { type: 'http' }]
}, { prepare: folder => writeFile(join(folder, 'permissions.json'), JSON.stringify(rules)) })

const odd = ['', '/', 'undefined', '$x', '.*', '[[', '\\', '\u0000', 'é\u{1F600}', ' ', '%2e', 'x'.repeat(3000)]
const namesOf = guard => ['1', ...odd].map(tail => `${guard}/${tail}`)
const other = Array.from({ length: 20 }, (_, i) => `allowed/${i}`)

/** Every message about a name that can be put together. */
function * attempts (name) {
  const data = '{"token":"mine"}'
  const shapes = [
    { name, data, correlationId: 'c', version: -1, isWriteAck: true },
    { name, data, path: 'token', correlationId: 'c', version: -1 },
    { name, path: 'token', correlationId: 'c', version: 2 },
    { name, data: '[["token","\\"mine\\""]]', correlationId: 'c', version: 2 },
    { name, names: [name], correlationId: 'c', subscription: name },
    { names: [name], correlationId: 'c' },
    { names: [...other, name, name], correlationId: 'c' },
    { name: 'allowed/0', names: [name], subscription: name, correlationId: 'c' }
  ]
  for (const topic of [TOPIC.EVENT, TOPIC.RECORD, TOPIC.RPC, TOPIC.PRESENCE]) {
    for (let action = 0; action < 110; action++) {
      for (const shape of shapes) {
        let frame
        try { frame = encode({ topic, action, ...shape }) } catch { continue }
        yield frame
      }
    }
  }
}

/** Reads what has come until the answer to a PING, as text. */
async function drain (raw) {
  const lines = []
  raw.send({ topic: TOPIC.CONNECTION, action: 2 })
  for (;;) {
    const message = await raw.next(30_000)
    if (message.topic === TOPIC.CONNECTION && message.action === 3) return lines
    lines.push(message)
  }
}

/** Reads until READs that stand behind everything sent are answered, whatever that waits for: some of them by every loop. */
async function handled (raw) {
  const lines = []
  const ends = Array.from({ length: 60 }, (_, i) => `the end/${i}`)
  raw.send(...ends.map(name => record('READ', { name, correlationId: 'end' })))
  for (let left = ends.length; left > 0;) {
    const message = await raw.next(30_000)
    if (ends.includes(message.name)) left--
    else lines.push(message)
  }
  return lines
}

const secret = 'S3CR3T'
const aboutOthers = message => JSON.stringify(message).includes('allowed/')

for (const guard of Object.keys(guards)) {
  test(`nothing gets past a rule: ${guard}`, async () => {
    const root = await server.raw('P3', 'root')
    const mallory = await server.raw('P3', 'mallory')
    const names = namesOf(guard)
    const plain = names[0]
    root.send(record('CREATEANDUPDATE', { name: 'rights', version: -1, data: '{"root":true}' }))
    for (const name of names) root.send(record('CREATEANDUPDATE', { name, version: -1, data: `{"token":"${secret}"}` }))
    root.send(record('SUBSCRIBEANDREAD', { names, correlationId: '1' }), event('SUBSCRIBE', { names, correlationId: '2' }),
      rpc('PROVIDE', { names, correlationId: '3' }))
    await handled(root)
    const listener = await server.raw('P3', 'root')
    const free = `${guard}/free`
    listener.send(record('LISTEN', { name: free, correlationId: '4' }), event('LISTEN', { name: free, correlationId: '5' }))
    await eventually('both patterns', async () => (await drain(listener), true))

    for (const name of [...names, free]) for (const frame of attempts(name)) mallory.sendFrame(frame)
    const seen = await handled(mallory)
    seen.push(...await drain(mallory))
    assert.ok(seen.length > 1000, 'he is told')
    assert.deepEqual(seen.filter(message => JSON.stringify(message).includes(secret)), [], 'a secret is out')
    const heard = (await handled(root)).filter(message => !aboutOthers(message))
    assert.deepEqual(heard, [], 'something reached the one who may')
    assert.deepEqual((await drain(listener)).filter(message => !message.isAck), [], 'a listener was asked')

    root.send(record('CREATEANDUPDATE', { name: plain, version: -1, data: `{"token":"${secret}2"}` }), event('EMIT', { name: plain, data: `"${secret}"` }))
    await handled(root)
    assert.deepEqual((await drain(mallory)).filter(message => !aboutOthers(message)), [], 'he is subscribed')
    for (const name of names) root.send(record('READ', { name, correlationId: 'r' }))
    const now = (await handled(root)).filter(message => message.version !== undefined)
    assert.equal(now.length, names.length)
    for (const message of now) assert.match(message.data, /S3CR3T/, message.name)
  })
}

test('nor over HTTP', async () => {
  const post = body => fetch(`http://${server.url}/api`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const root = await server.raw('P3', 'root')
  for (const guard of Object.keys(guards)) {
    const names = namesOf(guard).filter(name => name)
    for (const name of names) {
      root.send(record('CREATEANDUPDATE', { name, version: -1, data: `{"token":"${secret}"}` }))
    }
    root.send(event('SUBSCRIBE', { names, correlationId: '2' }), record('SUBSCRIBEANDREAD', { names, correlationId: '3' }), rpc('PROVIDE', { names, correlationId: '4' }))
    await handled(root)
    for (const name of names) {
      const body = [
        ...['read', 'head', 'delete'].map(action => ({ topic: 'record', action, recordName: name })),
        { topic: 'record', action: 'write', recordName: name, data: { token: 'mine' } },
        { topic: 'record', action: 'write', recordName: name, data: { token: 'mine' }, version: 2 },
        { topic: 'record', action: 'write', recordName: name, path: 'token', data: 'mine' },
        { topic: 'record', action: 'notify', recordNames: [name] },
        ...['read', 'delete'].map(action => ({ topic: 'list', action, listName: name })),
        { topic: 'list', action: 'write', listName: name, data: ['mine'] },
        { topic: 'event', action: 'emit', eventName: name, data: 1 }, { topic: 'rpc', action: 'make', rpcName: name, data: 1 }
      ]
      const answer = await within('an answer', post({ body }))
      const text = await answer.text()
      assert.ok(!text.includes(secret), text)
      const refused = JSON.parse(text).body.filter(result => /MESSAGE_DENIED|MESSAGE_PERMISSION_ERROR/.test(result.errorEventName))
      assert.equal(refused.length, body.length, text)
      for (const method of ['GET', 'HEAD']) {
        const url = `http://${server.url}/api/record/${encodeURIComponent(name)}`
        for (const headers of [{}, { 'if-none-match': '*' }, { authorization: 'Bearer x' }]) {
          const got = await within('an answer', fetch(url, { method, headers }))
          assert.ok(!(await got.text()).includes(secret), `${method} ${name}`)
          assert.ok([400, 401, 403, 404].includes(got.status), `${method} ${JSON.stringify(name).slice(0, 40)} ${got.status}`)
          assert.equal(got.headers.get('etag'), null, 'a version is told')
        }
      }
    }
    assert.deepEqual(await handled(root), [], 'something reached the one who may')
    await eventually('all is answered', async () => (await fetch(`http://${server.url}/health-check`)).status === 200)
  }
})

test('nor is anybody seen', async () => {
  const mallory = await server.raw('P3', 'mallory')
  for (let action = 0; action < 110; action++) {
    for (const shape of [{}, { names: [] }, { names: ['root'] }, { name: 'root' }, { names: ['%_EVERYONE_%'] }, { name: '%_EVERYONE_%' }, { names: ['undefined', 'root'] }]) {
      try { mallory.send({ topic: TOPIC.PRESENCE, action, correlationId: 'c', ...shape }) } catch { }
    }
  }
  const root = await server.raw('P3', 'root')
  await root.settled()
  const seen = (await drain(mallory)).concat(await drain(mallory))
  const told = seen.filter(message => message.isError !== true && message.topic === TOPIC.PRESENCE && !message.isAck)
  assert.deepEqual(told, [])
  assert.ok(presence && seen.length > 10)
})
