import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from '../lib/server.mjs'
import { eventually, never } from '../lib/wait.mjs'

const INTERVAL = 150
const server = await serve({
  connectionEndpoints: [{ type: 'ws-binary', options: { heartbeatInterval: INTERVAL } }]
})

test('a silent connection is closed, one that pings stays', async () => {
  const silent = await server.raw('P3', 'silent')
  const lively = await server.raw('P3', 'lively')
  const started = Date.now()
  const life = setInterval(() => lively.settled(), INTERVAL / 3)
  try {
    await silent.closed()
  } finally {
    clearInterval(life)
  }
  assert.ok(Date.now() - started >= 2 * INTERVAL - 20, 'two intervals of silence are allowed')
  await lively.settled()
})

test('a silent connection is forgotten together with its user', async () => {
  const watcher = await server.login('watcher', { heartbeatInterval: 50 })
  const seen = []
  watcher.presence.subscribe('quiet', (_, online) => seen.push(online))
  const quiet = await server.raw('P3', 'quiet')
  await quiet.closed()
  await eventually('leave', () => seen.includes(false))
  assert.deepEqual(seen, [true, false])
})

test('the official client finds the server alive before and after its login', async () => {
  const client = server.connect({ heartbeatInterval: 40 })
  await never('heartbeat timeout', () => client.errors.length > 0)
  await client.login({ username: 'late' })
  await never('heartbeat timeout', () => client.errors.length > 0)
  assert.equal(client.getConnectionState(), 'OPEN')
})
