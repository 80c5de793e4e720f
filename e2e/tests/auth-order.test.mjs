import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accepted, service, signingKey, token } from '../lib/auth.mjs'
import { serve } from '../lib/server.mjs'
import { eventually } from '../lib/wait.mjs'

// Several types, asked in order: a table, tokens, a webhook, and then everybody, under one name.
const key = signingKey('k')
const hook = await service(({ body: { authData } }) => authData.ticket === 'valid' ? [200, 'hooked'] : [401, 'no ticket'])
const jwks = { keys: [key.jwk] }
const server = await serve({
  auth: [
    { type: 'file', options: { users: { alice: { password: 'alice-secret', clientData: { by: 'file' } }, strict: { password: 'x' } } } },
    { type: 'jwt', options: { algorithms: ['ES256'], jwks, clientDataClaim: 'data' } },
    {
      type: 'http',
      options: {
        endpointUrl: hook.url, permittedStatusCodes: [200], requestTimeout: 2000, retryStatusCodes: [], retryAttempts: 0,
        retryInterval: 0, reportInvalidParameters: false
      }
    },
    { type: 'none', options: { anonymousId: 'guest' } }
  ]
})

test('the first type that knows somebody decides', async () => {
  assert.deepEqual(await accepted(server.connect(), { username: 'alice', password: 'alice-secret' }), { by: 'file' })
  assert.deepEqual(await accepted(server.connect(), { token: token(key, { sub: 'bob', data: { by: 'jwt' } }) }), { by: 'jwt' })
  assert.equal(await accepted(server.connect(), { ticket: 'valid' }), null)
  assert.equal(hook.requests.length, 1, 'who was known before is nobody else\'s business')
})

test('whom no type knows gets the name of the last, whatever they claim', async () => {
  const watcher = server.connect()
  await accepted(watcher, { username: 'alice', password: 'alice-secret' })
  const online = async () => (await watcher.presence.getAll()).sort()
  await eventually('the others to be gone', async () => (await online()).every(name => name === 'alice'))
  for (const credentials of [{ username: 'strict', password: 'wrong' }, { token: 'wrong' }, { username: 'mallory' }, {}]) {
    const client = server.connect()
    assert.equal(await accepted(client, credentials), null)
    await eventually('a guest', async () => (await online()).includes('guest'))
    assert.deepEqual((await online()).filter(name => name !== 'alice'), ['guest'])
    client.close()
    await eventually('the guest to be gone', async () => !(await online()).includes('guest'))
  }
})

test('the order is warned about', () => {
  assert.match(server.log, /whoever the handlers before it refuse gets in/)
})
