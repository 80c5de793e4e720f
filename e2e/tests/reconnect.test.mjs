import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Proxy } from '../lib/proxy.mjs'
import { serve, settled } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()

const CLIENTS = 20

/** A client that subscribes, provides, listens and follows presence, each under a name of its own. */
async function busy (i) {
  const client = await server.login(`user/${i}`)
  const seen = { events: [], asked: [], users: new Set() }
  client.event.subscribe(`event/${i}`, data => seen.events.push(data))
  client.rpc.provide(`rpc/${i}`, (data, response) => response.send([i, data]))
  client.event.listen(`^listen/${i}$`, (name, response) => { seen.asked.push(name); response.accept() })
  client.presence.subscribe((user, online) => seen.users[online ? 'add' : 'delete'](user))
  await settled(client)
  return { client, seen }
}

/** Shows that everything every client registered works. */
async function working (round, clients) {
  const probe = await server.login(`probe/${round}`)
  for (const [i, { seen }] of clients.entries()) {
    await eventually(`event ${i}`, () => {
      probe.event.emit(`event/${i}`, round)
      return seen.events.includes(round)
    })
    const answer = await eventually(`call ${i}`, () => probe.rpc.make(`rpc/${i}`, round))
    assert.deepEqual(answer, [i, round])
    probe.event.subscribe(`listen/${i}`, () => {})
    await eventually(`listener ${i}`, () => seen.asked.length === round)
    await eventually(`presence ${i}`, () => seen.users.has(`probe/${round}`))
  }
  probe.close()
  await eventually('probe has left', () => clients.every(({ seen }) => !seen.users.has(`probe/${round}`)))
}

test('after a crash and a restart every client finds everything working again', async () => {
  const clients = []
  for (let i = 0; i < CLIENTS; i++) clients.push(await busy(i))
  await working(1, clients)
  for (const round of [2, 3]) {
    await server.end('SIGKILL')
    await eventually('all notice', () => clients.every(({ client }) => client.getConnectionState() === 'RECONNECTING'))
    await server.start()
    await eventually('all are back', () => clients.every(({ client }) => client.getConnectionState() === 'OPEN'))
    await Promise.all(clients.map(({ client }) => settled(client))) // and subscribed
    await working(round, clients)
  }
  for (const { client } of clients) {
    assert.deepEqual(client.errors.filter(error => !error.startsWith('CONNECTION CONNECTION_ERROR')), [])
    client.errors.length = 0
  }
})

test('what is sent while the network is down arrives when it is back', async () => {
  const proxy = await Proxy.to(server.port)
  const remote = await server.login('remote', { offlineBufferTimeout: 10_000 }, { url: proxy.url })
  const [subscriber, provider] = [await server.login('subscriber'), await server.login('provider')]
  const got = []
  subscriber.event.subscribe('limbo', data => got.push(data))
  provider.rpc.provide('limbo', (data, response) => response.send(data * 2))
  await Promise.all([settled(subscriber), settled(provider)])
  await proxy.cut()
  await eventually('loss is noticed', () => remote.getConnectionState() === 'RECONNECTING')
  for (const data of [1, 2, 3]) remote.event.emit('limbo', data)
  const answer = remote.rpc.make('limbo', 21)
  const users = remote.presence.getAll(['subscriber', 'nobody'])
  await proxy.restore()
  assert.equal(await within('answer', answer), 42)
  assert.deepEqual(await within('users', users), { subscriber: true, nobody: false })
  await eventually('events', () => got.length === 3)
  assert.deepEqual(got, [1, 2, 3])
  remote.errors.length = 0 // refused connections meanwhile
  remote.close()
  await proxy.cut()
})

test('a lost connection takes its subscriptions along: nothing is delivered twice', async () => {
  const proxy = await Proxy.to(server.port)
  const remote = await server.login('again', {}, { url: proxy.url })
  const sender = await server.login('sender')
  const got = []
  remote.event.subscribe('once', data => got.push(data))
  await settled(remote)
  for (let round = 0; round < 3; round++) {
    await proxy.cut()
    await eventually('loss is noticed', () => remote.getConnectionState() === 'RECONNECTING')
    await proxy.restore()
    await eventually('open again', () => remote.getConnectionState() === 'OPEN')
  }
  await settled(remote)
  for (let i = 0; i < 10; i++) sender.event.emit('once', i)
  await eventually('delivery', () => got.length >= 10)
  await settled(remote)
  assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  remote.errors.length = 0
  remote.close()
  await proxy.cut()
})
