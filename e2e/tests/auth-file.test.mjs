import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { accepted, NO_REASON, officialHash, ownHash, refusal } from '../lib/auth.mjs'
import { auth, connection } from '../lib/raw.mjs'
import { provoked } from '../lib/record.mjs'
import { serve } from '../lib/server.mjs'
import { eventually } from '../lib/wait.mjs'

// A users.yml as the official server has it, beside entries of our own.
const scheme = { hash: 'sha512', iterations: 1000, keyLength: 32 }
const folder = mkdtempSync(join(tmpdir(), 'deepstream-fast-users-'))
after(() => rmSync(folder, { recursive: true }))
writeFileSync(join(folder, 'users.yml'), `
# Username as key
alice:
  password: "${officialHash('alice-secret', scheme)}"
  serverData:
    role: topsecret-role
  clientData: { color: red }
bob:
  password: ${ownHash('bob-secret')}
carol:
  password: ${ownHash('pässwörd 🔑', '--hash', 'sha512', '--iterations', '1000', '--key-length', '32')}
`)
const users = join(folder, 'users.yml')
const server = await serve({ auth: [{ type: 'file', options: { users: `fileLoad(${users})`, ...scheme } }] })

test('users log in with official hashes and with our own', async () => {
  assert.deepEqual(await accepted(server.connect(), { username: 'alice', password: 'alice-secret' }), { color: 'red' })
  assert.equal(await accepted(server.connect(), { username: 'bob', password: 'bob-secret' }), null)
  assert.equal(await accepted(server.connect(), { username: 'carol', password: 'pässwörd 🔑' }), null)
})

test('the user id is the user name', async () => {
  const [alice, watcher] = [server.connect(), server.connect()]
  await accepted(watcher, { username: 'bob', password: 'bob-secret' })
  await accepted(alice, { username: 'alice', password: 'alice-secret' })
  await eventually('alice online', async () => (await watcher.presence.getAll()).includes('alice'))
})

test('a wrong password and an unknown user look the same', async () => {
  for (const credentials of [
    { username: 'alice', password: 'bob-secret' }, { username: 'bob', password: 'Bob-secret' },
    { username: 'constructor', password: 'x' }, { username: 'mallory', password: 'x' }
  ]) {
    assert.equal(await refusal(server.connect(), credentials), NO_REASON)
    const raw = await server.raw('P2')
    await raw.ask(auth('REQUEST', { data: JSON.stringify(credentials) }), auth('AUTH_UNSUCCESSFUL'))
  }
})

test('missing credentials are named', async () => {
  const error = 'missing authentication parameter: username or/and password'
  assert.deepEqual(await refusal(server.connect(), { username: 'alice' }), { error })
  assert.deepEqual(await refusal(server.connect(), {}), { error })
})

test('after a refusal another attempt may succeed', async () => {
  const client = server.connect()
  assert.equal(await refusal(client, { username: 'alice', password: 'wrong' }), NO_REASON)
  assert.deepEqual(await accepted(client, { username: 'alice', password: 'alice-secret' }), { color: 'red' })
})

test('too many attempts end the connection, and the client stays away', async () => {
  const client = server.connect()
  for (let i = 0; i < 3; i++) assert.equal(await refusal(client, { username: 'alice', password: `wrong ${i}` }), NO_REASON)
  await eventually('the end', () => client.getConnectionState() === 'TOO_MANY_AUTH_ATTEMPTS')
  await eventually('the error', () => client.errors.length > 0)
  provoked(client, 'AUTH TOO_MANY_AUTH_ATTEMPTS')
})

test('server data is in nothing that a client receives, and no password in the log', async () => {
  const raw = await server.raw('P1')
  raw.send(connection('CHALLENGE', { url: 'ws://e2e' }))
  const seen = [await raw.next()]
  for (const password of ['wrong', 'alice-secret']) {
    raw.send(auth('REQUEST', { data: JSON.stringify({ username: 'alice', password }) }))
    seen.push(await raw.next())
  }
  assert.equal(seen.at(-1).data, '{"color":"red"}')
  assert.doesNotMatch(JSON.stringify(seen), /topsecret|serverData/)
  assert.doesNotMatch(server.log, /topsecret|alice-secret|bob-secret|wrong/)
})

test('the absence of client data is sent as null', async () => {
  const raw = await server.raw('P2')
  await raw.ask(auth('REQUEST', { data: '{"username":"bob","password":"bob-secret"}' }), auth('AUTH_SUCCESSFUL', { data: 'null' }))
})
