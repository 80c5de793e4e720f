import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { rpc } from '../lib/raw.mjs'
import { within } from '../lib/wait.mjs'

const server = await serve({ rpc: { provideRequestorName: true, provideRequestorData: true } })

test('the provider is told who asked', async () => {
  const worker = await server.login('worker')
  const askers = []
  worker.rpc.provide('who', (_, response, asker) => { askers.push(asker); response.send(asker.requestorName) })
  await settled(worker)
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  assert.equal(await within('answer', alice.rpc.make('who')), 'alice')
  assert.equal(await within('answer', bob.rpc.make('who')), 'bob')
  assert.deepEqual(askers.map(asker => asker.requestorData), [undefined, undefined], 'open logins have no client data')
})

test('a forged identity is replaced by the true one', async () => {
  const worker = await server.raw('P3', 'worker')
  await worker.ask(rpc('PROVIDE', { names: ['pay'] }), rpc('PROVIDE', { isAck: true }))
  const caller = await server.raw('P3', 'mallory')
  caller.send(rpc('REQUEST', { name: 'pay', correlationId: 'c', requestorName: 'alice', requestorData: { admin: true } }))
  const { correlationId, ...request } = await worker.next()
  assert.deepEqual(request, rpc('REQUEST', { name: 'pay', requestorName: 'mallory' }))
})
