import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from '../lib/server.mjs'
import { event, presence } from '../lib/raw.mjs'

const MIB = 1 << 20
const server = await serve({ httpServer: { type: 'default', options: { maxBackpressure: MIB / 4 } } })

const DATA = JSON.stringify('x'.repeat(16_384))
const FLOOD = event('EMIT', { name: 'flood', data: DATA })
const MOST = 4_096 // events until the kernel's buffers and the server's own are surely full: 64 MiB

/** Sends events one batch at a time, each confirmed by the reader, until `done`. Returns how many it took. */
async function flood (sender, reader, done) {
  for (let sent = 0; sent < MOST;) {
    for (let i = 0; i < 8; i++, sent++) sender.send(FLOOD)
    for (let i = 0; i < 8; i++) await reader.expect(FLOOD)
    if (done()) return sent
  }
  throw new Error('the slow consumer was never cut off')
}

test('who never reads is cut off while others are served', async () => {
  const before = await server.memory()
  const watcher = await server.raw('P3', 'watcher')
  await watcher.ask(presence('SUBSCRIBE', { names: ['slow'] }), presence('SUBSCRIBE', { isAck: true }))
  const [slow, reader, sender] = await Promise.all(['slow', 'reader', 'sender'].map(name => server.raw('P3', name)))
  await watcher.expect(presence('PRESENCE_JOIN', { name: 'slow' }))
  for (const raw of [slow, reader]) {
    await raw.request(event('SUBSCRIBE', { names: ['flood'] }), event('SUBSCRIBE', { isAck: true }))
  }
  slow.pause()
  const sent = await flood(sender, reader, () => watcher.unread > 0)
  await watcher.expect(presence('PRESENCE_LEAVE', { name: 'slow' }))
  assert.ok(await server.memory() - before < 48 * MIB, 'the backlog of one reader stays small')

  slow.resume()
  await slow.closed()
  assert.ok(slow.unread < sent, 'the rest was dropped with the connection')
  while (slow.unread > 1) await slow.expect(FLOOD) // what came, came whole; the last entry is the close
  await reader.settled()
})

test('a reader that falls behind and catches up is kept', async () => {
  const [reader, sender] = [await server.raw(), await server.raw()]
  await reader.request(event('SUBSCRIBE', { names: ['flood'] }), event('SUBSCRIBE', { isAck: true }))
  reader.pause()
  for (let i = 0; i < 8; i++) sender.send(FLOOD)
  await sender.settled()
  reader.resume()
  for (let i = 0; i < 8; i++) await reader.expect(FLOOD)
  await reader.settled()
})
