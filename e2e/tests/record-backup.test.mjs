// A backup is made while clients write: it is sound, and holds every write acknowledged before it was asked for.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { store } from '../lib/record.mjs'
import { BINARY, serve } from '../lib/server.mjs'

const server = await serve()
const run = (...args) => promisify(execFile)(BINARY, [...args, '-c', server.path('conf.toml')])

test('a backup made under load', async () => {
  const [raw, writer] = [await server.raw(), await server.raw()]
  for (let i = 0; i < 200; i++) await store(raw, `backup/${i}`, { i })
  let busy = true
  const load = (async () => {
    for (let i = 0; busy; i++) await store(writer, `load/${i % 50}`, { i })
  })()
  const { stdout } = await run('backup', server.path('copy'))
  busy = false
  await load
  assert.match(stdout, /backup made/)
  const sound = await run('check', server.path('copy'))
  const [, records] = /is sound: (\d+) records/.exec(sound.stdout)
  assert.ok(records >= 200, sound.stdout)
})

test('a folder that exists is not overwritten, and one in use not checked', async () => {
  await assert.rejects(run('backup', server.path('.')), error => error.code === 1 && /exists/.test(error.stderr))
  await assert.rejects(run('check'), error => error.code === 1 && /in use/.test(error.stderr))
})
