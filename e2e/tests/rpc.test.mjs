import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { rpc, RPC_ACTION } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const ACK_TIMEOUT = 3_000
const RESPONSE_TIMEOUT = 5_000
const server = await serve({ rpc: { ackTimeout: ACK_TIMEOUT, responseTimeout: RESPONSE_TIMEOUT } })

const ack = (action, correlationId) => rpc(action, { isAck: true, ...(correlationId && { correlationId }) })
const call = (caller, name, data) => within(`answer of ${name}`, caller.rpc.make(name, data))

/** An official client that provides `name`. */
async function provider (name, callback) {
  const client = await server.login(`provider of ${name}`)
  client.rpc.provide(name, callback)
  await settled(client)
  return client
}

/** A raw connection that provides `name`. */
async function rawProvider (name) {
  const raw = await server.raw()
  await raw.ask(rpc('PROVIDE', { names: [name], correlationId: '0' }), ack('PROVIDE', '0'))
  return raw
}

/** Whichever of the two providers was asked: [asked, other, correlation id of the dispatch]. */
async function asked (one, two) {
  const first = await eventually('a provider is asked', () => [one, two].find(raw => raw.unread > 0))
  return [first, first === one ? two : one, (await first.next()).correlationId]
}

test('answers of every JSON type arrive as they were sent', async () => {
  const values = [undefined, null, true, false, 0, 1.5, '', 'Grüße 🚀', [], [1, null], {}, { b: 1, a: [{}] }]
  await provider('echo', (data, response) => response.send(data))
  const caller = await server.login('caller')
  for (const value of values) assert.deepEqual(await call(caller, 'echo', value), value)
})

test('many calls at once, spread over two providers, are each answered with their own result', async () => {
  for (let i = 0; i < 2; i++) await provider('double', (n, response) => response.send(2 * n))
  const caller = await server.login('caller')
  const inputs = Array.from({ length: 500 }, (_, i) => i)
  assert.deepEqual(await Promise.all(inputs.map(n => call(caller, 'double', n))), inputs.map(n => 2 * n))
})

test('a client may call what it provides itself', async () => {
  const client = await provider('self', (data, response) => response.send(data + 1))
  assert.equal(await call(client, 'self', 1), 2)
})

test('an error of the provider rejects the call with its data', async () => {
  await provider('fails', (data, response) => response.error(data))
  const caller = await server.login('caller')
  await assert.rejects(call(caller, 'fails', 'out of tea'), error => error === 'out of tea')
})

test('a call nobody provides fails at once', async () => {
  const caller = await server.login('caller')
  await assert.rejects(call(caller, 'nobody'), error => error === 'NO_RPC_PROVIDER')
})

test('after an unprovide the call has no provider', async () => {
  const client = await provider('leaves', (_, response) => response.send(1))
  client.rpc.unprovide('leaves')
  await settled(client)
  const caller = await server.login('caller')
  await assert.rejects(call(caller, 'leaves'), error => error === 'NO_RPC_PROVIDER')
})

test('a rejected call goes to the next provider', async () => {
  const rejected = []
  for (const name of ['a', 'b']) {
    await provider('picky', (_, response) => {
      if (rejected.length > 0) return response.send(name)
      rejected.push(name)
      return response.reject()
    })
  }
  const caller = await server.login('caller')
  const answer = await call(caller, 'picky')
  assert.deepEqual([answer, ...rejected].sort(), ['a', 'b'])
})

test('a call everybody rejects has no provider', async () => {
  let asked = 0
  for (let i = 0; i < 3; i++) await provider('unloved', (_, response) => { asked++; response.reject() })
  const caller = await server.login('caller')
  await assert.rejects(call(caller, 'unloved'), error => error === 'NO_RPC_PROVIDER')
  assert.equal(asked, 3, 'each provider is asked once')
})

test('a provider that never accepts ends the call with ACCEPT_TIMEOUT', async () => {
  await provider('mute', (_, response) => { response.autoAccept = false })
  const caller = await server.login('caller')
  await assert.rejects(call(caller, 'mute'), error => error === 'ACCEPT_TIMEOUT')
})

test('a provider that accepts and never answers ends the call with RESPONSE_TIMEOUT', async () => {
  await provider('slow', () => {})
  const caller = await server.login('caller')
  await assert.rejects(call(caller, 'slow'), error => error === 'RESPONSE_TIMEOUT')
})

test('a provider that vanishes before accepting is replaced at once', async () => {
  const [one, two] = [await rawProvider('fragile'), await rawProvider('fragile')]
  const caller = await server.login('caller')
  const answer = call(caller, 'fragile', 'input')
  const [gone, heir] = await asked(one, two)
  gone.destroy()
  const request = await heir.next()
  assert.equal(request.data, '"input"')
  heir.send(rpc('RESPONSE', { name: 'fragile', correlationId: request.correlationId, data: '"done"' }))
  assert.equal(await answer, 'done')
})

test('a provider that vanishes after accepting ends the call at once', async () => {
  const [one, two] = [await rawProvider('started'), await rawProvider('started')]
  const caller = await server.raw()
  caller.send(rpc('REQUEST', { name: 'started', correlationId: 'c' }))
  const [gone, heir, correlationId] = await asked(one, two)
  gone.send(rpc('ACCEPT', { name: 'started', correlationId }))
  await caller.expect(rpc('ACCEPT', { name: 'started', correlationId: 'c' }))
  const since = Date.now()
  gone.destroy()
  await caller.expect(rpc('RESPONSE_TIMEOUT', { name: 'started', correlationId: 'c' }))
  assert.ok(Date.now() - since < RESPONSE_TIMEOUT / 2, 'without waiting for the timer')
  await heir.quiet() // no second try: the work may have been done
})

test('a call carries exactly its name, its id and its data, in every direction', async () => {
  const worker = await rawProvider('exact')
  const caller = await server.raw()
  caller.send(rpc('REQUEST', { name: 'exact', correlationId: 'mine', data: '{ "n" : 1.0 }', isAck: true, isError: true, names: ['x'] }))
  const { correlationId, ...request } = await worker.next()
  assert.deepEqual(request, rpc('REQUEST', { name: 'exact', data: '{ "n" : 1.0 }' }))
  assert.ok(correlationId)
  const noise = { name: 'exact', correlationId, isAck: true, isError: true, names: ['x'], requestorName: 'x' }
  worker.send(rpc('ACCEPT', { ...noise }), rpc('RESPONSE', { ...noise, data: '[ 2 ]' }))
  await caller.expect(
    rpc('ACCEPT', { name: 'exact', correlationId: 'mine' }),
    rpc('RESPONSE', { name: 'exact', correlationId: 'mine', data: '[ 2 ]' })
  )
  await caller.quiet()
})

test('an answer without data and an error keep their fields', async () => {
  const worker = await rawProvider('bare')
  const caller = await server.raw()
  for (const [action, fields] of [['RESPONSE', {}], ['REQUEST_ERROR', { data: '"no"' }], ['REQUEST_ERROR', {}]]) {
    caller.send(rpc('REQUEST', { name: 'bare', correlationId: 'c' }))
    const { correlationId } = await worker.next()
    worker.send(rpc(action, { name: 'bare', correlationId, ...fields }))
    await caller.expect(rpc(action, { name: 'bare', correlationId: 'c', ...fields }))
  }
})

test('who asked is not told, whatever the caller claims', async () => {
  const worker = await rawProvider('blind')
  const caller = await server.raw('P3', 'mallory')
  caller.send(rpc('REQUEST', { name: 'blind', correlationId: 'c', requestorName: 'alice', requestorData: { admin: true } }))
  const { correlationId, ...request } = await worker.next()
  assert.deepEqual(request, rpc('REQUEST', { name: 'blind' }))
})

test('two callers may use the same correlation id', async () => {
  const worker = await rawProvider('shared')
  const callers = [await server.raw(), await server.raw()]
  for (const [i, caller] of callers.entries()) caller.send(rpc('REQUEST', { name: 'shared', correlationId: 'same', data: `${i}` }))
  const requests = [await worker.next(), await worker.next()]
  assert.notEqual(requests[0].correlationId, requests[1].correlationId)
  for (const { correlationId, data } of requests) {
    worker.send(rpc('RESPONSE', { name: 'shared', correlationId, data: `"to ${data}"` }))
  }
  for (const [i, caller] of callers.entries()) {
    await caller.expect(rpc('RESPONSE', { name: 'shared', correlationId: 'same', data: `"to ${i}"` }))
    await caller.quiet()
  }
})

for (const action of ['ACCEPT', 'REJECT', 'RESPONSE', 'REQUEST_ERROR']) {
  test(`${action} of a stranger is refused and changes nothing`, async () => {
    const worker = await rawProvider('guarded')
    const [caller, stranger] = [await server.raw(), await server.raw()]
    caller.send(rpc('REQUEST', { name: 'guarded', correlationId: 'guess' }))
    const { correlationId } = await worker.next()
    for (const id of [correlationId, 'guess']) {
      await stranger.ask(rpc(action, { name: 'guarded', correlationId: id }), rpc('INVALID_RPC_CORRELATION_ID', {
        name: 'guarded', correlationId: id, originalAction: RPC_ACTION[action], isError: true
      }))
    }
    worker.send(rpc('RESPONSE', { name: 'guarded', correlationId, data: '1' }))
    await caller.expect(rpc('RESPONSE', { name: 'guarded', correlationId: 'guess', data: '1' }))
  })
}

test('an answer to a finished call is refused', async () => {
  const worker = await rawProvider('late')
  const caller = await server.raw()
  caller.send(rpc('REQUEST', { name: 'late', correlationId: 'c' }))
  const { correlationId } = await worker.next()
  const answer = rpc('RESPONSE', { name: 'late', correlationId })
  await worker.ask(answer)
  await worker.ask(answer, rpc('INVALID_RPC_CORRELATION_ID', {
    name: 'late', correlationId, originalAction: RPC_ACTION.RESPONSE, isError: true
  }))
  await caller.expect(rpc('RESPONSE', { name: 'late', correlationId: 'c' }))
  await caller.quiet()
})

test('a second ACCEPT is reported to the provider and not to the caller', async () => {
  const worker = await rawProvider('eager')
  const caller = await server.raw()
  caller.send(rpc('REQUEST', { name: 'eager', correlationId: 'c' }))
  const { correlationId } = await worker.next()
  const accept = rpc('ACCEPT', { name: 'eager', correlationId })
  await worker.ask(accept)
  await worker.ask(accept, rpc('MULTIPLE_ACCEPT', { name: 'eager', correlationId }))
  worker.send(rpc('RESPONSE', { name: 'eager', correlationId }))
  await caller.expect(rpc('ACCEPT', { name: 'eager', correlationId: 'c' }), rpc('RESPONSE', { name: 'eager', correlationId: 'c' }))
})

test('after ACCEPT and REJECT the next provider starts afresh', async () => {
  const [one, two] = [await rawProvider('moody'), await rawProvider('moody')]
  const caller = await server.raw()
  caller.send(rpc('REQUEST', { name: 'moody', correlationId: 'c' }))
  const [first, second, id] = await asked(one, two)
  first.send(rpc('ACCEPT', { name: 'moody', correlationId: id }), rpc('REJECT', { name: 'moody', correlationId: id }))
  const { correlationId } = await second.next()
  await second.ask(rpc('ACCEPT', { name: 'moody', correlationId }))
  await second.ask(rpc('RESPONSE', { name: 'moody', correlationId, data: '1' }))
  await caller.expect(rpc('ACCEPT', { name: 'moody', correlationId: 'c' }), rpc('ACCEPT', { name: 'moody', correlationId: 'c' }),
    rpc('RESPONSE', { name: 'moody', correlationId: 'c', data: '1' }))
})

test('a caller that vanishes does not disturb its provider', async () => {
  const worker = await rawProvider('orphan')
  const [gone, caller] = [await server.raw(), await server.raw()]
  gone.send(rpc('REQUEST', { name: 'orphan', correlationId: 'c' }))
  await worker.next()
  gone.destroy()
  caller.send(rpc('REQUEST', { name: 'orphan', correlationId: 'c' }))
  const { correlationId } = await worker.next()
  worker.send(rpc('RESPONSE', { name: 'orphan', correlationId, data: '2' }))
  await caller.expect(rpc('RESPONSE', { name: 'orphan', correlationId: 'c', data: '2' }))
})

test('a request without correlation id is not routed', async () => {
  const worker = await rawProvider('anonymous')
  const caller = await server.raw()
  await caller.ask(rpc('REQUEST', { name: 'anonymous' }),
    rpc('INVALID_RPC_CORRELATION_ID', { name: 'anonymous', originalAction: RPC_ACTION.REQUEST, isError: true }))
  await worker.quiet()
})

test('a request whose data is no JSON is not routed', async () => {
  const worker = await rawProvider('strict')
  const caller = await server.raw()
  await caller.ask(rpc('REQUEST', { name: 'strict', correlationId: 'c', data: '{' }), rpc('MESSAGE_PERMISSION_ERROR', {
    name: 'strict', correlationId: 'c', originalAction: RPC_ACTION.REQUEST, isError: true
  }))
  await worker.quiet()
})

for (const action of ['RESPONSE', 'REQUEST_ERROR']) {
  test(`a ${action} whose data is no JSON is not relayed, the call stays open`, async () => {
    const worker = await rawProvider('sloppy')
    const caller = await server.raw()
    caller.send(rpc('REQUEST', { name: 'sloppy', correlationId: 'c' }))
    const { correlationId } = await worker.next()
    await worker.ask(rpc(action, { name: 'sloppy', correlationId, data: '' }), rpc('INVALID_MESSAGE_DATA', {
      name: 'sloppy', correlationId, originalAction: RPC_ACTION[action], isError: true
    }))
    await worker.ask(rpc(action, { name: 'sloppy', correlationId, data: '1' }))
    await caller.expect(rpc(action, { name: 'sloppy', correlationId: 'c', data: '1' }))
  })
}

test('providing twice is reported, unproviding the unprovided is not', async () => {
  const raw = await server.raw()
  const repeated = rpc('MULTIPLE_PROVIDERS', { name: 'p', originalAction: RPC_ACTION.PROVIDE })
  await raw.ask(rpc('PROVIDE', { names: ['p', 'p', 'q'], correlationId: '1' }), repeated, ack('PROVIDE', '1'))
  await raw.ask(rpc('PROVIDE', { names: ['p'] }), repeated, ack('PROVIDE'))
  await raw.ask(rpc('PROVIDE', { correlationId: '2' }), ack('PROVIDE', '2'))
  await raw.ask(rpc('UNPROVIDE', { names: ['p', 'never'], correlationId: '2' }), ack('UNPROVIDE', '2'))
  await raw.ask(rpc('REQUEST', { name: 'p', correlationId: 'c' }), rpc('NO_RPC_PROVIDER', { name: 'p', correlationId: 'c' }))
})

test('a running call survives the unprovide of its provider', async () => {
  const worker = await rawProvider('retiring')
  const caller = await server.raw()
  caller.send(rpc('REQUEST', { name: 'retiring', correlationId: 'c' }))
  const { correlationId } = await worker.next()
  await worker.ask(rpc('UNPROVIDE', { names: ['retiring'], correlationId: '1' }), ack('UNPROVIDE', '1'))
  await worker.ask(rpc('RESPONSE', { name: 'retiring', correlationId, data: '1' }))
  await caller.expect(rpc('RESPONSE', { name: 'retiring', correlationId: 'c', data: '1' }))
})
