// The rate of one HTTP connection, as a program with a keep-alive agent meets it. A message is paid off in a second and
// the debt here is a minute or more, so that no outcome depends on the pace of the test.

import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { after, test } from 'node:test'
import { emit, query } from '../lib/http.mjs'
import { serve, settled } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve({
  connectionEndpoints: [{ type: 'ws-binary' }, { type: 'http', options: { maxMessageRate: 1, messageBurst: 60 } }]
})
const agents = []
after(() => agents.forEach(agent => agent.destroy()))

/** A program with one connection; resolves requests with status, headers, text, and whether the connection was used before. */
function program () {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  agents.push(agent)
  return (method, path, body) => within(`${method} ${path}`, new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' }
    const asked = request(`http://${server.url}${path}`, { agent, method, headers }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', piece => { text += piece }).on('error', reject)
        .on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, text, reused: asked.reusedSocket }))
    })
    asked.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body))
  }))
}

const emits = n => ({ body: Array.from({ length: n }, (_, i) => emit('e', i)) })

/** Checks a refusal, which says how long to wait, and returns that. */
function refused (answer) {
  const wait = Number(answer.headers['retry-after'])
  assert.equal(answer.status, 429)
  assert.equal(answer.text, `Too many messages on this connection. Try again in ${wait} s.\r\n\r\n`)
  assert.ok(answer.reused)
  return wait
}

test('a large request passes once, and holds up the next ones of its connection alone', async () => {
  const ask = program()
  const first = await ask('POST', '/api', emits(1000))
  assert.equal(first.status, 200)
  assert.equal(JSON.parse(first.text).result, 'SUCCESS')
  const wait = refused(await ask('POST', '/api', emits(1)))
  assert.ok(wait > 800 && wait <= 941, `${wait}`)
  assert.ok(refused(await ask('GET', '/api/record/none')) <= wait)
  assert.ok(refused(await ask('POST', '/api', emits(50))) > wait)

  const login = await ask('POST', '/api/auth', { username: 'u' })
  assert.deepEqual([login.status, login.reused], [200, true])
  assert.equal((await program()('POST', '/api', emits(1))).status, 200)
})

test('what was refused has not been carried out', async () => {
  const client = await server.login('subscriber')
  const heard = []
  client.event.subscribe('refused', data => heard.push(data))
  await settled(client)
  const ask = program()
  assert.equal((await ask('POST', '/api', emits(200))).status, 200)
  refused(await ask('POST', '/api', { body: [emit('refused', 'no')] }))
  assert.equal((await program()('POST', '/api', { body: [emit('refused', 'yes')] })).status, 200)
  await eventually('the other one', () => heard.length > 0)
  assert.deepEqual(heard, ['yes'])
})

test('names of a list are messages too', async () => {
  const ask = program()
  const names = Array.from({ length: 20_000 }, (_, i) => `n${i}`)
  assert.equal((await ask('POST', '/api', { body: [query(names)] })).status, 200)
  const wait = refused(await ask('POST', '/api', emits(1)))
  assert.ok(wait > 60 && wait <= 142, `${wait}`)
})

test('WebSockets are not concerned', async () => {
  const subscriber = await server.login('subscriber')
  const heard = []
  subscriber.event.subscribe('busy', data => heard.push(data))
  await settled(subscriber)
  const publisher = await server.login('publisher')
  for (let i = 0; i < 200; i++) publisher.event.emit('busy', i)
  await eventually('all of them', () => heard.length === 200)
})
