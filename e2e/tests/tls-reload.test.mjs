// The certificate changes while clients are connected.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { certificates, install, shown } from '../lib/tls.mjs'
import { eventually } from '../lib/wait.mjs'

const PATIENCE = 20_000 // a file is looked at every two seconds, and must not change for one look
let folder
const server = await serve({
  httpServer: { options: { ssl: { certFile: 'cert.pem', keyFile: 'key.pem', watch: true } } }
}, {
  prepare: async dir => {
    folder = dir
    const ca = await certificates(folder, 'first', 'second', 'third')
    await install(folder, 'first')
    return ca
  }
})

test('a change under load drops nobody and loses nothing', async () => {
  const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => server.login(`client ${i}`)))
  const got = clients.map(() => [])
  const states = []
  for (const [i, client] of clients.entries()) {
    client.on('connectionStateChanged', state => states.push(state))
    client.event.subscribe('count', n => got[i].push(n))
  }
  await Promise.all(clients.map(settled))
  let sent = 0
  const load = setInterval(() => { for (let i = 0; i < 10; i++) clients[i].event.emit('other', i); clients[0].event.emit('count', sent++) }, 2)
  for (const name of ['second', 'third']) {
    await install(folder, name)
    process.kill(server.pid, 'SIGHUP')
    await eventually(`${name} is shown`, async () => (await shown(server)).name === name)
    const newcomer = await server.login(`newcomer ${name}`)
    assert.equal(newcomer.getConnectionState(), 'OPEN')
  }
  clearInterval(load)
  clients[0].event.emit('count', 'end')
  await eventually('everything', () => got.every((list, i) => list.at(-1) === 'end'))
  const all = [...Array(sent).keys(), 'end']
  for (const list of got) assert.deepEqual(list, all)
  assert.deepEqual(states, [], 'connections were disturbed')
})

test('a broken pair is reported and the old one stays', async () => {
  const client = await server.login('stays')
  const before = (await shown(server)).name
  await writeFile(server.path('key.pem'), 'no key at all')
  await eventually('a line in the log', () => /reload: nothing has changed: certificates: /.test(server.log), PATIENCE)
  server.log = server.log.replace(/^.*reload: nothing has changed: certificates: .*$/gm, '') // provoked
  assert.equal((await shown(server)).name, before)
  await settled(client)
  await install(folder, 'first')
  await eventually('first is shown', async () => (await shown(server)).name === 'first', PATIENCE)
  await settled(client)
})
