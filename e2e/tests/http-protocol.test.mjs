// HTTP/1.1 itself: connections, encodings, origins, and what is refused before anybody acts on it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import { Http, command, emit, get, post } from '../lib/http.mjs'
import { serve } from '../lib/server.mjs'
import { eventually } from '../lib/wait.mjs'

const server = await serve({
  httpServer: { options: { maxMessageSize: '64KiB', maxHttpConnections: 40, httpIdleTimeout: '2s' } },
  connectionEndpoints: [{ type: 'ws-binary' }, { type: 'http', options: { requestTimeout: 700, maxCommandsPerRequest: 100 } }],
  rpc: { ackTimeout: 10_000, responseTimeout: 10_000 }
})

const body = JSON.stringify({ body: [emit('e', 1)] })
const request = (text = body, fields = '') =>
  `POST /api HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n${fields}\r\n${text}`
const chunked = (...chunks) => 'POST /api HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n' +
  chunks.map(chunk => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('') + '0\r\n\r\n'
const SUCCESS = '{"result":"SUCCESS","body":[{"success":true}]}\r\n\r\n'

test('one connection serves request after request, plain, chunked and pipelined', async () => {
  const http = await Http.open(server)
  http.write(request())
  assert.equal((await http.answer()).body, SUCCESS)
  http.write(chunked(body.slice(0, 10), body.slice(10)))
  assert.equal((await http.answer()).body, SUCCESS)
  http.write('GET /health-check HTTP/1.1\r\nHost: h\r\n\r\n' + request() + request())
  const health = await http.answer()
  assert.deepEqual([health.status, health.body], [200, ''])
  for (let i = 0; i < 2; i++) assert.equal((await http.answer()).body, SUCCESS)
  http.write(request(body, 'Connection: close\r\n'))
  assert.equal((await http.answer()).body, SUCCESS)
  assert.equal(await http.rest(), '')
})

test('a request byte by byte, and one that waits to be asked for its body', async () => {
  const slow = await Http.open(server)
  for (const byte of request()) slow.write(byte)
  assert.equal((await slow.answer()).body, SUCCESS)
  const waiting = await Http.open(server)
  waiting.write(request('', 'Expect: 100-continue\r\n').replace('Content-Length: 0', `Content-Length: ${body.length}`))
  assert.equal((await waiting.answer()).status, 100)
  waiting.write(body)
  assert.equal((await waiting.answer()).body, SUCCESS)
  slow.destroy()
  waiting.destroy()
})

test('a WebSocket on a connection that was used for requests is sent away without a word', async () => {
  const http = await Http.open(server)
  http.write(request())
  await http.answer()
  http.write('GET /deepstream HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  assert.equal(await http.rest(), '')
})

test('a client that only sends no more still gets its answer', async () => {
  const http = await Http.open(server)
  http.write(request())
  http.end()
  assert.equal((await http.answer()).body, SUCCESS)
  assert.equal(await http.rest(), '')
})

test('an idle connection is closed', async () => {
  const http = await Http.open(server)
  http.write(request())
  await http.answer()
  assert.equal(await http.rest(), '')
})

for (const [coding, pack] of [['gzip', gzipSync], ['deflate', deflateSync]]) {
  test(`a body may come as ${coding}, and is bounded when it is inflated`, async () => {
    const answer = await post(server, '/api', pack(body), { 'Content-Encoding': coding })
    assert.equal(answer.text, SUCCESS)
    const bomb = await post(server, '/api', pack(JSON.stringify({ body: 'x'.repeat(10_000_000) })), { 'Content-Encoding': coding })
    assert.deepEqual([bomb.status, bomb.text], [400, 'Failed to parse body of request: request entity too large\r\n\r\n'])
  })
}

test('too many commands, too many bytes', async () => {
  const many = await post(server, '/api', { body: Array(101).fill(emit('e')) })
  assert.deepEqual([many.status, many.text], [400, 'Invalid message: the "body" parameter must not have more than 100 commands.\r\n\r\n'])
  const large = await post(server, '/api', { body: [emit('e', 'x'.repeat(70_000))] })
  assert.equal(large.status, 400)
})

for (const [what, text] of Object.entries({
  'a length and chunks': request('0\r\n\r\n', 'Transfer-Encoding: chunked\r\n'),
  'two lengths': request(body, 'Content-Length: 3\r\n'),
  'a folded field': request(body, 'X-Folded: a\r\n b\r\n'),
  'a blank in front of a colon': request(body, 'Transfer-Encoding : chunked\r\n'),
  'lines without CR': request().replaceAll('\r\n', '\n'),
  'a chunk that is longer than it says': chunked(body).replace('\r\n0\r\n', 'x\r\n0\r\n'),
  'a length with a sign': request().replace('Content-Length: ', 'Content-Length: +')
})) {
  test(`a request with ${what} is refused, first or later, and nothing behind it is looked at`, async () => {
    for (const before of ['', request()]) {
      const http = await Http.open(server)
      http.write(before)
      if (before !== '') assert.equal((await http.answer()).body, SUCCESS)
      http.write(text + request(JSON.stringify({ body: [emit('smuggled')] })))
      assert.ok((await http.answer()).status >= 400)
      assert.doesNotMatch(await http.rest(), /SUCCESS/)
    }
  })
}

test('more connections than allowed are refused, and WebSockets are not concerned', async () => {
  const held = await Promise.all(Array.from({ length: 41 }, () => Http.open(server)))
  const statuses = await Promise.all(held.map(async http => { // at once, before one is closed for being idle
    http.write(request())
    return (await http.answer()).status
  }))
  assert.deepEqual([...new Set(statuses)].sort(), [200, 503])
  await server.login('somebody')
  held.forEach(http => http.destroy())
  await eventually('room again', async () => (await command(server, emit('e'))).success)
})

test('what nobody answers in time is said so, and the rest is kept', async () => {
  const provider = await server.login('provider')
  provider.rpc.provide('slow', () => {})
  await provider.presence.getAll([])
  const answer = await post(server, '/api', { body: [{ topic: 'rpc', action: 'make', rpcName: 'slow' }, emit('e')] })
  assert.deepEqual(answer.body, {
    result: 'PARTIAL_SUCCESS',
    body: [{
      errorTopic: 'connection', errorEvent: 'HTTP_REQUEST_TIMEOUT', success: false,
      error: 'Request exceeded timeout before a response was received.', errorEventName: 'HTTP_REQUEST_TIMEOUT'
    }, { success: true }]
  })
})

test('every origin may ask, and is told so', async () => {
  for (const answer of [await get(server, '/health-check'), await get(server, '/none'), await post(server, '/api', body)]) {
    assert.equal(answer.headers.get('access-control-allow-origin'), '*')
  }
  const preflight = await get(server, '/api', {
    'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type', Origin: 'https://a.example'
  }, 'OPTIONS')
  assert.equal(preflight.status, 204)
  assert.equal(preflight.headers.get('access-control-allow-methods'), 'GET, POST, OPTIONS')
})
