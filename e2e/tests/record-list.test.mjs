// Lists and anonymous records with the official client.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { open, store } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { record } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()

const openList = (client, name) => within(`${name} to be ready`, client.record.getList(name).whenReady())

test('a new list is empty and becomes an array with its first entries', async () => {
  const [alice, bob, raw] = [await server.login('alice'), await server.login('bob'), await server.raw()]
  const [ours, theirs] = [await openList(alice, 'new'), await openList(bob, 'new')]
  assert.deepEqual([ours.getEntries(), ours.isEmpty()], [[], true])
  await within('confirmation', ours.setEntriesWithAck(['a', 'b']))
  await eventually('update', () => theirs.getEntries().length === 2)
  await raw.ask(record('READ', { name: 'new' }), record('READ_RESPONSE', { name: 'new', version: 1, data: '["a","b"]' }))
})

test('entries are added, inserted, moved and removed for everybody', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const [ours, theirs] = [await openList(alice, 'edit'), await openList(bob, 'edit')]
  const events = []
  for (const event of ['entry-added', 'entry-moved', 'entry-removed']) theirs.on(event, (entry, i) => events.push([event, entry, i]))
  ours.addEntry('b')
  ours.addEntry('a', 0)
  ours.addEntry('b')
  ours.removeEntry('b', 1)
  ours.removeEntry('a')
  await eventually('all updates', () => theirs.version === 5)
  assert.deepEqual(theirs.getEntries(), ['b'])
  assert.deepEqual(events, [
    ['entry-added', 'b', 0], ['entry-added', 'a', 0], ['entry-moved', 'b', 1], ['entry-added', 'b', 2],
    ['entry-removed', 'b', 2], ['entry-removed', 'a', 0], ['entry-moved', 'b', 0]
  ])
  const late = await openList(await server.login('carol'), 'edit')
  assert.deepEqual([late.getEntries(), late.version], [['b'], 5])
})

test('20 clients edit one list at once and try again when refused: no entry is lost, none comes twice', async () => {
  const [CLIENTS, ENTRIES] = [20, 5]
  const lists = await Promise.all(Array.from({ length: CLIENTS }, async (_, i) =>
    openList(await server.login(`editor/${i}`), 'contended')))
  const add = async (list, entry) => {
    for (let refusals = 0; ; refusals++) {
      const { version } = list
      try {
        await within('an answer', list.setEntriesWithAck([...list.getEntries(), entry]))
        return
      } catch (error) {
        assert.equal(error, 'RECORD_UPDATE_ERROR')
        assert.ok(refusals < CLIENTS * ENTRIES, 'somebody else gets ahead each time')
        await eventually('the entry that got ahead', () => list.version > version && !list.getEntries().includes(entry))
      }
    }
  }
  await Promise.all(lists.map(async (list, i) => {
    for (let n = 0; n < ENTRIES; n++) await add(list, `${i}/${n}`)
  }))
  const everything = lists.flatMap((_, i) => Array.from({ length: ENTRIES }, (_, n) => `${i}/${n}`)).sort()
  const final = (await openList(await server.login('reader'), 'contended')).getEntries()
  assert.deepEqual([...final].sort(), everything)
  await eventually('all see the same', () => lists.every(list => list.version === everything.length))
  for (const list of lists) assert.deepEqual(list.getEntries(), final)
})

test('a list deleted by one is gone for the other', async () => {
  const [alice, bob] = [await server.login('alice'), await server.login('bob')]
  const [ours, theirs] = [await openList(alice, 'deleted'), await openList(bob, 'deleted')]
  let deleted = false
  theirs.on('delete', () => { deleted = true })
  await within('confirmation', ours.setEntriesWithAck(['a']))
  await within('delete', ours.delete())
  await eventually('event', () => deleted)
  assert.equal(await within('has', bob.record.has('deleted')), false)
})

test('an anonymous record follows the name it is given, and only that', async () => {
  const [alice, bob] = [await server.login('alice', { recordDiscardTimeout: 20 }), await server.login('bob')]
  await within('confirmation', bob.record.setDataWithAck('user/1', { name: 'one' }))
  await within('confirmation', bob.record.setDataWithAck('user/2', { name: 'two' }))
  const anonymous = alice.record.getAnonymousRecord()
  const seen = []
  anonymous.subscribe('name', name => seen.push(name), true)
  await within('ready', anonymous.setName('user/1'))
  await eventually('first', () => seen.includes('one'))
  await within('confirmation', bob.record.setDataWithAck('user/1', 'name', 'uno'))
  await eventually('update', () => seen.includes('uno'))
  await within('ready', anonymous.setName('user/2'))
  await eventually('second', () => seen.includes('two'))
  await eventually('the first name is given up', () => alice.record.names().join() === 'user/2')
  await within('confirmation', bob.record.setDataWithAck('user/1', 'name', 'unheard'))
  anonymous.set('name', 'due')
  const theirs = await open(bob, 'user/2')
  await eventually('write', () => theirs.get('name') === 'due')
  assert.deepEqual(anonymous.get(), { name: 'due' })
  assert.ok(!seen.includes('unheard'))
})

test('a queue of numbered entries, as the client keeps it, is a record like any other', async () => {
  const raw = await server.raw()
  await store(raw, 'queue', { h: [0, 2], 0: 'a', 1: 'b' })
  const ours = await open(await server.login('alice'), 'queue')
  assert.deepEqual(ours.get(), { h: [0, 2], 0: 'a', 1: 'b' })
})
