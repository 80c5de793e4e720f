import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { presence, PRESENCE_ACTION } from '../lib/raw.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()

const ack = (action, correlationId) => presence(action, { isAck: true, ...(correlationId && { correlationId }) })
const subscribe = names => presence('SUBSCRIBE', { names, correlationId: '0' })

/** A raw connection that sees nobody else online, so that the test starts from a clean slate. */
async function alone (username) {
  const raw = await server.raw('P3', username)
  await eventually('everybody else left', async () => {
    raw.send(presence('QUERY_ALL'))
    return (await raw.next()).names === undefined
  })
  return raw
}

test('who is alone gets an answer without names', async () => {
  const raw = await alone('lonely')
  await raw.ask(presence('QUERY_ALL'), presence('QUERY_ALL_RESPONSE'))
})

test('all users are listed once, without the one who asks', async () => {
  const raw = await alone('asker')
  await server.raw('P3', 'asker')
  for (const name of ['bob', 'bob', 'carol', '日本 🚀']) await server.raw('P3', name)
  const answer = await eventually('all are online', async () => {
    raw.send(presence('QUERY_ALL'))
    const answer = await raw.next()
    return answer.names?.length >= 3 && answer
  })
  assert.deepEqual(answer, presence('QUERY_ALL_RESPONSE', { names: answer.names }))
  assert.deepEqual(answer.names.sort(), ['bob', 'carol', '日本 🚀'])
})

test('a query for names tells for each whether it is online, oneself included', async () => {
  const raw = await server.raw('P3', 'asker')
  await raw.ask(subscribe(['here']), ack('SUBSCRIBE', '0'))
  await server.raw('P3', 'here')
  await raw.expect(presence('PRESENCE_JOIN', { name: 'here' }))
  raw.send(presence('QUERY', { names: ['here', 'away', 'asker'], correlationId: 'q' }))
  const { data, ...rest } = await raw.next()
  assert.deepEqual(rest, presence('QUERY_RESPONSE', { correlationId: 'q' }))
  assert.deepEqual(JSON.parse(data), { here: true, away: false, asker: true })
  await raw.ask(presence('QUERY', { correlationId: 'r' }), presence('QUERY_RESPONSE', { correlationId: 'r', data: '{}' }))
})

test('user ids that need escaping come back intact', async () => {
  const names = ['"quoted"', 'back\\slash', 'new\nline', '\u0001', '__proto__', '<&>']
  const client = await server.login('asker')
  assert.deepEqual(Object.keys(await client.presence.getAll(names)).sort(), names.sort())
})

test('the official client lists, queries and follows users', async () => {
  const watcher = await server.login('watcher')
  const [one, all] = [[], []]
  watcher.presence.subscribe('dora', (user, online) => one.push([user, online]))
  watcher.presence.subscribe((user, online) => { if (user === 'emil') all.push([user, online]) })
  await settled(watcher)
  const dora = await server.login('dora')
  const emil = await server.login('emil')
  await eventually('joins', () => one.length === 1 && all.length === 1)
  const list = await within('list', watcher.presence.getAll())
  assert.ok(['dora', 'emil'].every(name => list.includes(name)) && !list.includes('watcher'), String(list))
  assert.deepEqual(await within('query', watcher.presence.getAll(['dora', 'fritz'])), { dora: true, fritz: false })
  dora.close()
  emil.close()
  await eventually('leaves', () => one.length === 2 && all.length === 2)
  assert.deepEqual(one, [['dora', true], ['dora', false]])
  assert.deepEqual(all, [['emil', true], ['emil', false]])
})

test('joins and leaves carry the user id and nothing else, the global one first', async () => {
  const raw = await alone('watcher')
  await raw.ask(subscribe(['gina']), ack('SUBSCRIBE', '0'))
  await raw.ask(presence('SUBSCRIBE_ALL'), ack('SUBSCRIBE_ALL'))
  const gina = await server.raw('P3', 'gina')
  await raw.expect(presence('PRESENCE_JOIN_ALL', { name: 'gina' }), presence('PRESENCE_JOIN', { name: 'gina' }))
  gina.destroy()
  await raw.expect(presence('PRESENCE_LEAVE_ALL', { name: 'gina' }), presence('PRESENCE_LEAVE', { name: 'gina' }))
  await raw.quiet()
})

test('only a user\'s first connection joins and only its last leaves', async () => {
  const raw = await server.raw('P3', 'watcher')
  await raw.ask(subscribe(['hans']), ack('SUBSCRIBE', '0'))
  const [first, second] = [await server.raw('P3', 'hans'), await server.raw('P3', 'hans')]
  await raw.expect(presence('PRESENCE_JOIN', { name: 'hans' }))
  first.close()
  await first.closed()
  raw.send(presence('QUERY', { names: ['hans'], correlationId: 'q' }))
  await raw.expect(presence('QUERY_RESPONSE', { correlationId: 'q', data: '{"hans":true}' }))
  second.close()
  await raw.expect(presence('PRESENCE_LEAVE', { name: 'hans' }))
  await raw.quiet()
})

test('nobody hears of their own coming and going', async () => {
  const raw = await alone('self')
  await raw.ask(subscribe(['self']), ack('SUBSCRIBE', '0'))
  await raw.ask(presence('SUBSCRIBE_ALL'), ack('SUBSCRIBE_ALL'))
  const second = await server.raw('P3', 'self')
  second.close()
  await second.closed()
  await raw.quiet()
})

test('the user OPEN is invisible, the anonymous user is called open', async () => {
  const raw = await alone('watcher')
  await raw.ask(subscribe(['open', 'OPEN']), ack('SUBSCRIBE', '0'))
  await server.raw('P3', 'OPEN')
  await server.raw('P3')
  await raw.expect(presence('PRESENCE_JOIN', { name: 'open' }))
  await raw.ask(presence('QUERY_ALL'), presence('QUERY_ALL_RESPONSE', { names: ['open'] }))
})

test('acknowledgements of global subscriptions have neither name nor correlation id', async () => {
  const raw = await alone('global')
  for (const action of ['SUBSCRIBE_ALL', 'SUBSCRIBE_ALL', 'UNSUBSCRIBE_ALL', 'UNSUBSCRIBE_ALL']) {
    await raw.ask(presence(action, { correlationId: 'c', name: 'n' }), ack(action))
  }
})

test('unsubscribed means silent', async () => {
  const raw = await alone('watcher')
  await raw.ask(subscribe(['ida']), ack('SUBSCRIBE', '0'))
  await raw.ask(presence('SUBSCRIBE_ALL'), ack('SUBSCRIBE_ALL'))
  await raw.ask(presence('UNSUBSCRIBE', { names: ['ida', 'never'], correlationId: '0' }), ack('UNSUBSCRIBE', '0'))
  await raw.ask(presence('UNSUBSCRIBE_ALL'), ack('UNSUBSCRIBE_ALL'))
  const ida = await server.raw('P3', 'ida')
  await ida.settled()
  await raw.quiet()
})

test('a repeated subscription is reported before the acknowledgement', async () => {
  const raw = await server.raw('P3', 'watcher')
  await raw.ask(subscribe(['jan', 'jan']),
    presence('MULTIPLE_SUBSCRIPTIONS', { name: 'jan', originalAction: PRESENCE_ACTION.SUBSCRIBE }), ack('SUBSCRIBE', '0'))
})

test('a user called %_EVERYONE_% is a user', async () => {
  const raw = await alone('watcher')
  await raw.ask(subscribe(['%_EVERYONE_%']), ack('SUBSCRIBE', '0'))
  await server.raw('P3', 'kurt')
  await raw.quiet()
  await server.raw('P3', '%_EVERYONE_%')
  await raw.expect(presence('PRESENCE_JOIN', { name: '%_EVERYONE_%' }))
})
