// Who may ask over HTTP: a webhook decides, gives tokens, and is told about the request. And the monitor on the same port.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { command, emit, get, post, query } from '../lib/http.mjs'
import { service } from '../lib/auth.mjs'
import { serve } from '../lib/server.mjs'

const PASSWORD = 'correct-horse'
const hook = await service(({ body: { authData } }) => {
  if (authData.password === PASSWORD) return [200, { id: 'alice', clientData: { color: 'red' }, serverData: { role: 'hidden' }, token: 'token-of-alice' }]
  if (authData.token === 'token-of-alice') return [200, { id: 'alice', serverData: { role: 'hidden' } }]
  return [403, { reason: 'unknown' }]
})
const server = await serve({
  auth: [{
    type: 'http',
    options: {
      endpointUrl: `${hook.url}/login`, permittedStatusCodes: [200], requestTimeout: 2000,
      retryStatusCodes: [503], retryAttempts: 1, retryInterval: 10
    }
  }],
  monitoring: [{ type: 'http', options: { url: '/monitor', headerKey: 'x-key', headerValue: 'open-sesame' } }]
})

test('a login gives a token, and the token lets in', async () => {
  const login = await post(server, '/api/auth', { username: 'alice', password: PASSWORD })
  assert.deepEqual([login.status, login.body], [200, { token: 'token-of-alice', clientData: { color: 'red' } }])
  assert.doesNotMatch(login.text, /hidden/)
  assert.deepEqual(await command(server, emit('e'), { token: login.body.token }), { success: true })
  assert.deepEqual(await command(server, query(), { authData: { password: PASSWORD } }), { users: [], success: true })
  assert.equal((await get(server, '/api/record/none', { Authorization: `Bearer ${login.body.token}` })).status, 404)
})

test('wrong credentials are refused, each way in its own words', async () => {
  const refused = [
    [await post(server, '/api/auth', { password: 'wrong' }), 'Invalid authentication data.\r\n\r\n'],
    [await post(server, '/api', { token: 'wrong', body: [emit('e')] }), 'Unsuccessful authentication attempt.\r\n\r\n'],
    [await post(server, '/api', { body: [emit('e')] }), 'Unsuccessful authentication attempt.\r\n\r\n'],
    [await get(server, '/api/record/r', { Authorization: 'Bearer wrong' }), 'Unsuccessful authentication attempt.\r\n\r\n'],
    [await get(server, '/api/record/r'), 'Unsuccessful authentication attempt.\r\n\r\n']
  ]
  for (const [{ status, text }, want] of refused) assert.deepEqual([status, text], [401, want])
  assert.ok(!server.log.includes(PASSWORD) && !server.log.includes('token-of-alice'))
})

test('the webhook is told about the request', async () => {
  await post(server, '/api/auth?x=1', { password: PASSWORD }, { 'X-Device': 'phone' })
  const { connectionData } = hook.requests.at(-1).body
  assert.equal(connectionData.url, '/api/auth?x=1')
  assert.equal(connectionData.headers['x-device'], 'phone')
  assert.equal(connectionData.headers.host, server.url)
})

test('the monitor is served to who has its key', async () => {
  const report = await get(server, '/monitor', { 'X-Key': 'open-sesame' })
  assert.equal(report.status, 200)
  assert.ok(typeof report.body === 'object')
  assert.ok((await get(server, '/monitor', { 'X-Key': 'guess' })).status >= 400)
})
