import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from '../lib/server.mjs'
import { event } from '../lib/raw.mjs'
import { eventually } from '../lib/wait.mjs'

const server = await serve({ httpServer: { type: 'default', options: { maxBackpressure: 33_554_432 } } })

const SUBSCRIBED = event('SUBSCRIBE', { isAck: true })

test('what was queued is delivered, then every connection closes with 1001', async () => {
  const count = 1_000
  const data = JSON.stringify('x'.repeat(10_000)) // together more than the kernel buffers
  const [reader, sender, idle, fresh] = [await server.raw(), await server.raw(), await server.raw(), await server.raw('P1')]
  await reader.request(event('SUBSCRIBE', { names: ['last'] }), SUBSCRIBED)
  reader.pause()
  for (let i = 0; i < count; i++) sender.send(event('EMIT', { name: 'last', data }))
  await sender.settled()
  const ended = server.end('SIGTERM')
  reader.resume()
  for (let i = 0; i < count; i++) await reader.expect(event('EMIT', { name: 'last', data }))
  for (const raw of [reader, sender, idle, fresh]) assert.equal(await raw.closed(), 1001)
  assert.equal(await ended, 0)
  await server.start()
})

test('SIGINT stops the server as well', async () => {
  const raw = await server.raw()
  const ended = server.end('SIGINT')
  assert.equal(await raw.closed(), 1001)
  assert.equal(await ended, 0)
  await server.start()
})

test('nobody gets in while the server stops', async () => {
  const ended = server.end('SIGTERM')
  await eventually('refusal', async () => !await server.healthy())
  assert.equal(await ended, 0)
  await server.start()
})

test('official clients come back after a graceful stop', async () => {
  const client = await server.login('faithful')
  assert.equal(await server.end('SIGTERM'), 0)
  await eventually('reconnecting', () => client.getConnectionState() === 'RECONNECTING')
  await server.start()
  await eventually('open again', () => client.getConnectionState() === 'OPEN')
  client.errors.length = 0 // refused connections meanwhile
})
