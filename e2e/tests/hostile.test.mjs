import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { CHECKED, serve, settled } from '../lib/server.mjs'
import { encode, event, PING, PONG } from '../lib/raw.mjs'
import { frame } from '../lib/tcp.mjs'
import { eventually, within } from '../lib/wait.mjs'

const MIB = 1 << 20
const ALLOWED = CHECKED ? 320 * MIB : 32 * MIB // the race detector keeps a shadow of all memory
const server = await serve()
const baseline = await warm()

/** Resident memory once the server has served somebody. */
async function warm () {
  const client = await server.login('warm')
  await settled(client)
  return server.memory()
}

/** Shows that two ordinary clients are served. */
async function serves () {
  const [one, two] = [await server.login('one'), await server.login('two')]
  let got
  one.event.subscribe('alive', data => { got = data })
  await settled(one)
  two.event.emit('alive', 'yes')
  await eventually('delivery', () => got === 'yes')
}

/** Bytes that look random and are the same in every run. */
function garbage (length) {
  const blocks = []
  for (let i = 0; i * 64 < length; i++) blocks.push(createHash('sha512').update(`${i}`).digest())
  return Buffer.concat(blocks).subarray(0, length)
}

test('connections killed in the middle of a frame', async () => {
  const whole = frame(encode(event('EMIT', { name: 'half', data: JSON.stringify('x'.repeat(100_000)) })))
  for (const cut of [1, 2, 9, 13, 14, 15, 1_000, whole.length - 1]) {
    const tcp = await server.tcp()
    assert.equal(await tcp.upgrade(), 101)
    tcp.write(whole.subarray(0, cut))
    tcp.destroy()
  }
  await serves()
})

test('1 MiB of garbage instead of HTTP', async () => {
  const tcp = await server.tcp()
  tcp.write(garbage(MIB))
  await eventually('end', () => tcp.ended)
  await serves()
})

test('an endless HTTP head', async () => {
  const tcp = await server.tcp()
  tcp.write(`GET /deepstream HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(MIB)}`)
  await eventually('end', () => tcp.ended)
  await serves()
})

test('1 MiB of garbage instead of frames', async () => {
  const tcp = await server.tcp()
  assert.equal(await tcp.upgrade(), 101)
  tcp.write(garbage(MIB))
  await eventually('end', () => tcp.ended)
  await serves()
})

test('garbage inside proper frames', async () => {
  const raw = await server.raw()
  const noise = garbage(65_536)
  for (let at = 0, length = 0; at + length < noise.length; at += length, length = (length + 1) % 200) {
    raw.sendFrame(noise.subarray(at, at + length))
  }
  raw.sendFrame(encode(PING))
  await within('the frame behind the noise is answered', (async () => {
    for (let answer; answer?.topic !== PONG.topic || answer?.action !== PONG.action;) answer = await raw.next()
  })())
  await serves()
})

test('500 upgrades that stop half way', async () => {
  const half = []
  for (let i = 0; i < 500; i++) {
    const tcp = await server.tcp()
    tcp.write('GET /deepstream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgr')
    half.push(tcp)
  }
  await serves()
  half.forEach(tcp => tcp.destroy())
  await serves()
})

test('200 connections come, subscribe and vanish without a word', async () => {
  const watcher = await server.login('watcher')
  for (let i = 0; i < 200; i++) {
    const raw = await server.raw('P3', `ghost/${i}`)
    raw.send(event('SUBSCRIBE', { names: [`ghost/${i}`] }), event('LISTEN', { name: `^ghost/${i}$` }))
    raw.destroy()
  }
  await eventually('all ghosts are gone', async () =>
    (await watcher.presence.getAll()).every(user => !user.startsWith('ghost/')))
})

test('afterwards the memory is back near the start', async () => {
  await eventually('memory is returned', async () => await server.memory() - baseline < ALLOWED)
  await serves()
})
