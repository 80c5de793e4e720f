import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { serve, settled } from '../lib/server.mjs'
import { eventually, never } from '../lib/wait.mjs'

const INTERVAL = 600 // ms; a busy machine may take half of it for an answer
const server = await serve({
  connectionEndpoints: [{ type: 'ws-binary', options: { heartbeatInterval: INTERVAL } }]
})

test('a silent connection is closed, one that pings stays', async () => {
  const lively = await server.raw('P3', 'lively')
  let over = false
  const life = (async () => { for (; !over; await pause(INTERVAL / 3)) await lively.settled() })()
  const silent = await server.raw('P3', 'silent')
  const started = Date.now()
  try {
    await silent.settled()
    await silent.closed()
  } finally {
    over = true
  }
  await life
  assert.ok(Date.now() - started >= 2 * INTERVAL - 20, 'two intervals of silence are allowed')
  await lively.settled()
})

test('a silent connection is forgotten together with its user', async () => {
  const watcher = await server.login('watcher', { heartbeatInterval: INTERVAL / 2 })
  const seen = []
  watcher.presence.subscribe('quiet', (_, online) => seen.push(online))
  await settled(watcher)
  const quiet = await server.raw('P3', 'quiet')
  await quiet.closed()
  await eventually('leave', () => seen.includes(false))
  assert.deepEqual(seen, [true, false])
})

test('the official client finds the server alive before and after its login', async () => {
  const heartbeatInterval = 300
  const client = server.connect({ heartbeatInterval })
  await never('heartbeat timeout', () => client.errors.length > 0, 4 * heartbeatInterval) // it looks every interval, and allows two
  await client.login({ username: 'late' })
  await never('heartbeat timeout', () => client.errors.length > 0, 4 * heartbeatInterval)
  assert.equal(client.getConnectionState(), 'OPEN')
})
