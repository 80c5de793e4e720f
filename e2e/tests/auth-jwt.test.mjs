import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accepted, refusal, service, signingKey, token } from '../lib/auth.mjs'
import { auth } from '../lib/raw.mjs'
import { disconnected } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const [first, second, stranger] = ['first', 'second', 'stranger'].map(signingKey)
let published = [first]
const provider = await service(() => [200, { keys: published.map(({ jwk }) => jwk) }])
const server = await serve({
  auth: [{
    type: 'jwt',
    options: {
      algorithms: ['ES256'], jwksUrl: `${provider.url}/jwks.json`, refreshCooldown: 100, issuer: 'e2e', audience: ['server'],
      cookie: 'session', clientDataClaim: 'ui', serverDataClaim: '*'
    }
  }]
})
const claims = { sub: 'alice', iss: 'e2e', aud: 'server', ui: { color: 'red' }, role: 'topsecret' }
const seconds = n => Math.floor(Date.now() / 1000) + n

test('a token says who somebody is', async () => {
  const [client, watcher] = [server.connect(), server.connect()]
  assert.deepEqual(await accepted(client, { token: token(first, claims) }), { color: 'red' })
  assert.equal(await accepted(watcher, { token: token(first, { ...claims, sub: 'bob', ui: undefined }) }), null)
  await eventually('alice online', async () => (await watcher.presence.getAll()).includes('alice'))
  assert.equal(provider.requests.length, 1)
})

test('server data is in nothing that a client receives', async () => {
  const raw = await server.raw('P2')
  await raw.ask(auth('REQUEST', { data: JSON.stringify({ token: token(first, claims) }) }), auth('AUTH_SUCCESSFUL', { data: '{"color":"red"}' }))
})

test('a token may be in a cookie of the connection', async () => {
  const client = server.connect({ socketOptions: { headers: { cookie: `a=b; session=${token(first, claims)}` } } })
  assert.deepEqual(await accepted(client, {}), { color: 'red' })
})

test('other tokens are refused', async () => {
  const unsigned = token(first, claims).replace(/^[^.]+/, Buffer.from('{"alg":"none"}').toString('base64url')).replace(/[^.]+$/, '')
  for (const [credentials, error] of [
    [{}, 'missing authentication parameter: token'],
    [{ token: 'x' }, 'invalid token'],
    [{ token: unsigned }, 'invalid token'],
    [{ token: token({ ...stranger, kid: 'first' }, claims) }, 'invalid token'],
    [{ token: token(first, { ...claims, iss: 'other' }) }, 'invalid token'],
    [{ token: token(first, { ...claims, aud: 'other' }) }, 'invalid token'],
    [{ token: token(first, { ...claims, exp: seconds(-10) }) }, 'the token has expired'],
    [{ token: token(first, { ...claims, nbf: seconds(60) }) }, 'the token is not valid yet'],
    [{ token: token(first, { ...claims, exp: undefined }) }, 'invalid token']
  ]) assert.deepEqual(await refusal(server.connect(), credentials), { error })
})

test('a new key is fetched when a token names it', async () => {
  published = [first, second]
  const login = () => within('login', server.connect().login({ token: token(second, claims) }))
  await eventually('the new key to be known', () => login().then(() => true))
  published = [second]
  const before = provider.requests.length
  for (let i = 0; i < 10; i++) await accepted(server.connect(), { token: token(second, claims) })
  assert.equal(provider.requests.length, before, 'known keys are not fetched')
})

test('unknown keys do not make the server ask for each of them', async () => {
  const before = provider.requests.length
  const began = Date.now()
  for (let i = 0; i < 20; i++) {
    assert.deepEqual(await refusal(server.connect(), { token: token({ ...stranger, kid: `k${i}` }, claims) }), { error: 'invalid token' })
  }
  assert.ok(provider.requests.length - before <= 1 + (Date.now() - began) / 100, `${provider.requests.length - before} fetches`)
})

test('a session ends with its token, and the application hears why', async () => {
  const client = server.connect()
  const failures = []
  client.on('reauthenticationFailure', ({ reason }) => failures.push(reason))
  await accepted(client, { token: token(second, { ...claims, exp: seconds(3) }) })
  await eventually('the refusal', () => failures.length > 0)
  assert.deepEqual(failures[0], { error: 'the token has expired' })
  disconnected(client)
  // A new token, and everything goes on.
  const heard = []
  client.event.subscribe('news', data => heard.push(data))
  assert.deepEqual(await accepted(client, { token: token(second, claims) }), { color: 'red' })
  const other = server.connect()
  await accepted(other, { token: token(second, claims) })
  await eventually('news', () => { other.event.emit('news', 1); return heard.length > 0 })
})

test('an application that renews its token is not disturbed', async () => {
  const client = server.connect()
  const [credentials, states, failures] = [{ token: token(second, { ...claims, exp: seconds(3) }) }, [], []]
  await accepted(client, credentials)
  client.on('reauthenticationFailure', ({ reason }) => failures.push(reason))
  client.on('connectionStateChanged', state => states.push(state))
  credentials.token = token(second, claims) // the client sends this object whenever it comes back
  await eventually('coming back', () => states.at(-1) === 'OPEN')
  assert.ok(states.includes('RECONNECTING'))
  assert.deepEqual(failures, [])
  disconnected(client)
})

test('no token is in the log', () => {
  assert.doesNotMatch(server.log, /eyJ|topsecret/)
})
