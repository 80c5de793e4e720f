// A server that takes HTTP requests from one web page only.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emit, get, post } from '../lib/http.mjs'
import { Server, serve } from '../lib/server.mjs'

const ORIGIN = 'https://app.example'
// The health check that a start waits for has no origin: it is refused here as well.
Server.prototype.healthy = async function () {
  const answer = await get(this, '/health-check', { Origin: ORIGIN }).catch(() => undefined)
  return answer?.status === 200
}
const server = await serve({ httpServer: { options: { allowAllOrigins: false, origins: [ORIGIN] } } })

test('without an origin nothing is answered', async () => {
  for (const answer of [await get(server, '/health-check'), await post(server, '/api', { body: [emit('e')] }), await get(server, '/api', {}, 'OPTIONS')]) {
    assert.deepEqual([answer.status, answer.text], [403, 'CORS is configured for this. All requests must set a valid "Origin" header.\r\n\r\n'])
  }
})

test('another origin is named in the refusal', async () => {
  const answer = await post(server, '/api', { body: [emit('e')] }, { Origin: 'https://evil.example' })
  assert.deepEqual([answer.status, answer.text], [403, 'Origin "https://evil.example" is forbidden.\r\n\r\n'])
})

test('the right origin is echoed, and may bring credentials', async () => {
  for (const answer of [await get(server, '/health-check', { Origin: ORIGIN }), await post(server, '/api', { body: [emit('e')] }, { Origin: ORIGIN })]) {
    assert.equal(answer.status, 200)
    assert.equal(answer.headers.get('access-control-allow-origin'), ORIGIN)
    assert.equal(answer.headers.get('access-control-allow-credentials'), 'true')
    assert.match(answer.headers.get('vary'), /Origin/)
  }
})

test('WebSockets are not concerned', async () => {
  await server.login('alice')
})
