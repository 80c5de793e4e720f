// The examples of docs/http-api.md, run as they stand, in the order of the page, on a server with its defaults.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { examples } from '../lib/docs.mjs'
import { serve } from '../lib/server.mjs'

const run = promisify(execFile)
const server = await serve()
const page = await readFile(new URL('../../docs/http-api.md', import.meta.url), 'utf8')
const commands = await examples('docs/http-api.md')

test('every command of the page has its output behind it', () => {
  assert.ok(commands.length >= 8)
  assert.equal(commands.length, page.match(/^curl /gm).length)
})

for (const { command, output } of commands) {
  test(command.split('\n', 1)[0].slice(0, 90), async () => {
    const { stdout } = await run('bash', ['-c', command.replaceAll('localhost:6020', server.url)])
    assert.equal(stdout.replaceAll('\r', '').trim(), output.trim())
  })
}
