// A restart on a socket that the service manager keeps: clients have to connect again, and nobody is told of it.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import library from '@deepstream/client'
import { Keeper } from '../lib/keeper.mjs'
import { CHECKED } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const CLIENTS = 1_000
const PATIENCE = CHECKED ? 60_000 : 20_000

const keeper = await Keeper.listen({ storage: { type: 'none' } })
after(() => keeper.end())

/** An official client as an application would make it, which subscribes to an event and counts what goes wrong. */
async function member (i, errors) {
  const client = new library.DeepstreamClient(keeper.url)
  client.on('error', (detail, event, topic) => errors.push(`${topic} ${event} ${detail}`))
  await client.login({ username: `member-${i}` })
  client.received = 0
  client.event.subscribe('news', () => { client.received++ })
  return client
}

test(`${CLIENTS} clients survive a restart without an error and are back, subscribed, soon`, async t => {
  keeper.order('start')
  await keeper.hears(/^notified "READY=1/)
  const errors = []
  const clients = []
  t.after(() => clients.forEach(client => client.close()))
  for (let i = 0; i < CLIENTS; i += 100) {
    clients.push(...await within('logins', Promise.all(Array.from({ length: 100 }, (_, j) => member(i + j, errors))), PATIENCE))
  }
  const everybodyHears = async round => eventually(`all hear in round ${round}`, async () => {
    for (const client of clients) client.received = 0
    clients[0].event.emit('news', round)
    await eventually('delivered', () => clients.slice(1).every(client => client.received > 0), 150)
    return true
  }, PATIENCE)
  await everybodyHears(1)

  const said = keeper.said.length
  const gone = new Set()
  clients.forEach(client => client.on('connectionStateChanged', state => state === 'RECONNECTING' && gone.add(client)))
  const began = performance.now()
  keeper.order('stop')
  await keeper.hears(/^exited 0/, said)
  const down = performance.now()
  keeper.order('start')
  await eventually('all were away and are back', () =>
    gone.size === CLIENTS && clients.every(client => client.getConnectionState() === 'OPEN'), PATIENCE)
  const back = performance.now()
  await everybodyHears(2)
  const heard = performance.now()
  t.diagnostic(`stopped in ${Math.round(down - began)} ms, all back after ${Math.round(back - began)} ms, all subscribed after ${Math.round(heard - began)} ms`)
  assert.deepEqual(errors, [])
})

test('the manager is told of each step, and the watchdog is fed', async () => {
  const said = keeper.said.length
  await keeper.hears(/^notified "WATCHDOG=1"$/, said)
  keeper.order('hup')
  await keeper.hears(/^notified "RELOADING=1\\nMONOTONIC_USEC=\d+/, said)
  const reloading = keeper.said.findIndex((line, i) => i >= said && line.startsWith('notified "RELOADING=1'))
  await keeper.hears(/^notified "READY=1\\nSTATUS=serving WebSockets on /, reloading)
  keeper.order('stop')
  await keeper.hears(/^notified "STOPPING=1/, said)
  await keeper.hears(/^exited 0/, said)
  assert.match(keeper.log, /the service manager keeps the socket/)
  assert.doesNotMatch(keeper.log, /panic:|DATA RACE|"level":[56]0/)
})
