// Files that are watched: a change is in effect without anybody asking for it.

import assert from 'node:assert/strict'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { serve } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const rules = write => `
record: { "*": { create: true, read: true, write: ${write}, delete: true, listen: true, notify: true } }
event: { "*": { publish: true, subscribe: true, listen: true } }
rpc: { "*": { provide: true, request: true } }
presence: { "*": { allow: true } }
`
const server = await serve({
  auth: [{ type: 'file', options: { users: 'fileLoad(users.yml)', watch: true } }],
  permission: { type: 'config', options: { permissions: 'fileLoad(permissions.yml)', watch: true } }
}, {
  prepare: async folder => {
    await writeFile(join(folder, 'users.yml'), 'alice: { password: a }\n')
    await writeFile(join(folder, 'permissions.yml'), rules(true))
  }
})
/** Puts a new file in place of the old one, as editors do. */
const replace = async (name, text) => {
  await writeFile(server.path(name + '.new'), text)
  await rename(server.path(name + '.new'), server.path(name))
}
const PATIENCE = 20_000 // a file is looked at every two seconds, and must not change for one look

test('users and rules that are replaced', async () => {
  const alice = server.connect()
  await within('login', alice.login({ username: 'alice', password: 'a' }))
  await within('a write', alice.record.setDataWithAck('r', { n: 1 }))
  await replace('users.yml', 'alice: { password: a }\nbob: { password: b }\n')
  await replace('permissions.yml', rules(false))
  await eventually('the refusal of a write', () => alice.record.setDataWithAck('r', { n: 2 }).then(() => false, error => /MESSAGE_DENIED/.test(error)), PATIENCE)
  await eventually('a login of the new user', async () => {
    const bob = server.connect()
    return bob.login({ username: 'bob', password: 'b' }).then(() => true, () => false)
  }, PATIENCE)
  assert.equal(alice.getConnectionState(), 'OPEN')
})
