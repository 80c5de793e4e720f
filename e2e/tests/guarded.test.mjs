// Every command of examples/guarded/README.md that has its output behind it, on the files of that folder.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { appendFile, cp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { examples } from '../lib/docs.mjs'
import { BINARY, serve } from '../lib/server.mjs'
import { certificates } from '../lib/tls.mjs'

const run = promisify(execFile)
const path = relative => fileURLToPath(new URL(relative, import.meta.url))
let folder

const server = await serve({}, {
  prepare: async to => {
    folder = to
    const authority = await certificates(to, 'localhost')
    for (const file of ['users.yml', 'permissions.yml', 'hello.mjs', 'conf.toml', 'package.json']) {
      await cp(path(`../../examples/guarded/${file}`), join(to, file))
    }
    await symlink(path('../node_modules'), join(to, 'node_modules'))
    await appendFile(join(to, 'conf.toml'), '\n[logger]\ntype = "json"\n\n[monitoringServer]\nenabled = false\n')
    return authority
  }
})

const commands = await examples('examples/guarded/README.md')
const here = text => text.replaceAll('examples/guarded', folder)

test('the page has its commands', () => assert.equal(commands.length, 6))

for (const { command, output } of commands) {
  test(command.split('\n', 1)[0].slice(0, 90), async () => {
    const local = here(command).replaceAll('go run ./cmd/deepstream-fast', BINARY).replaceAll('localhost:6020', server.url)
    const env = { ...process.env, DEEPSTREAM_URL: `wss://${server.url}` }
    const { stdout } = await run('bash', ['-c', local], { env })
    assert.equal(stdout.replaceAll('\r', '').trim(), here(output).trim())
  })
}
