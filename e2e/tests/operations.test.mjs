// What an operator does to a running server: reload it, ask it for its health, stop it, forget to read its log.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { test } from 'node:test'
import { BINARY, QUIET, serve } from '../lib/server.mjs'
import { toml } from '../lib/toml.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()
const conf = server.path('conf.toml')
const base = QUIET
const configure = (config, more = '') => writeFile(conf, toml({ ...base, ...config }) + more)

/** Resolves with the exit code and output of the binary. */
const command = (...args) => within(args.join(' '), new Promise(resolve =>
  execFile(BINARY, args, { env: { PATH: process.env.PATH } }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }))))

/** Sends SIGHUP and resolves with the lines logged until one matches. */
async function reload (until) {
  const from = server.log.length
  process.kill(server.pid, 'SIGHUP')
  await eventually(`${until} in the log`, () => until.test(server.log.slice(from)))
  return server.log.slice(from)
}

/** Takes an error that was provoked out of the log, which must have none at the end. */
function provoked (pattern) {
  const lines = server.log.split('\n')
  const rest = lines.filter(line => !pattern.test(line))
  assert.ok(rest.length < lines.length, `${pattern} is not in the log`)
  server.log = rest.join('\n')
}

test('SIGHUP puts a new log level into effect, for those who are connected too', async () => {
  const client = await server.login('before')
  assert.doesNotMatch(server.log, /"event":"REQUEST"/)
  await configure({ logLevel: 'DEBUG' })
  assert.match(await reload(/in effect now/), /reload: in effect now: logLevel"/)
  await server.login('after')
  await eventually('debug lines', () => /"level":20,.*"event":"REQUEST"/.test(server.log))
  await configure({})
  await reload(/in effect now: logLevel/)
  assert.equal(client.getConnectionState(), 'OPEN')
})

test('a bad file changes nothing, and the log says where and why', async () => {
  const client = await server.login('steady')
  await configure({ logLevel: 'DEBUG' }, '[rpc]\nackTimeuot = 5\n')
  const said = await reload(/CONFIG_ERROR/)
  assert.match(said, /reload: nothing has changed: [^"]*conf\.toml:\d+:1: unknown key \\"ackTimeuot\\" in rpc; did you mean \\"ackTimeout\\"\?/)
  provoked(/CONFIG_ERROR/)
  assert.equal(client.getConnectionState(), 'OPEN')
  await configure({})
  assert.match(await reload(/"message":"reload/), /nothing to put into effect/) // DEBUG never was
})

test('what needs a restart is named, and the command line stays above the file', async () => {
  await configure({ rpc: { ackTimeout: 5 }, httpServer: { options: { port: 1, maxBackpressure: '2MiB' } } })
  const said = await reload(/needs a restart/)
  assert.match(said, /needs a restart: rpc\.ackTimeout, httpServer\.options\.maxBackpressure"/)
  await configure({})
  await reload(/nothing to put into effect/)
})

test('the reload command tells who has asked, and fails with the reason', async () => {
  await configure({ logLevel: 'WARN', shutdownTimeout: '20s' })
  assert.deepEqual(await command('reload', '-c', conf), { code: 0, stdout: 'in effect now: logLevel\nneeds a restart: shutdownTimeout\n', stderr: '' })
  await configure({})
  assert.equal((await command('reload', '-c', conf)).stdout, 'in effect now: logLevel\n')
  assert.equal((await command('reload', '-c', conf)).stdout, 'nothing has changed\n')
  const other = server.path('other.toml') // where the command finds the folder; the server reads its own
  await writeFile(other, '')
  await configure({ logLevel: 'LOUD' })
  const { code, stderr } = await command('reload', '-c', other)
  assert.equal(code, 1)
  assert.match(stderr, /conf\.toml:\d+:\d+: logLevel = "LOUD": expected DEBUG, INFO/)
  await configure({})
  await eventually('the refusal in the log', () => /CONFIG_ERROR/.test(server.log))
  provoked(/CONFIG_ERROR/)
})

test('the life of a connection is logged under the official names', async () => {
  const from = server.log.length
  const raw = await server.raw('P3', 'some\nbody')
  raw.close()
  await eventually('its end', () => /CLIENT_DISCONNECTED/.test(server.log.slice(from)))
  const events = server.log.slice(from).trim().split('\n').map(line => JSON.parse(line))
  assert.deepEqual(events.map(({ level, event }) => [level, event]),
    [[30, 'INCOMING_CONNECTION'], [30, 'AUTH_SUCCESSFUL'], [30, 'CLIENT_DISCONNECTED']])
  assert.match(events[0].message, /^from undefined \(127\.0\.0\.1:\d+\)$/)
  assert.deepEqual(events.slice(1).map(({ message }) => message), ['"some\\nbody"', '"some\\nbody"'])
  assert.equal(new Set(events.map(({ connection }) => connection)).size, 1)
})

test('health is asked for by a command', async () => {
  await writeFile(server.path('health.toml'), toml({ httpServer: { options: { host: '127.0.0.1', port: server.port } } }))
  assert.deepEqual(await command('health', '-c', server.path('health.toml')), { code: 0, stdout: 'healthy\n', stderr: '' })
})

test('within drainDelay health fails, newcomers are refused and clients are served; a second signal ends it', async () => {
  await server.end('SIGTERM')
  await configure({ drainDelay: '1m' })
  await server.start()
  const client = await server.login('patient')
  const ended = server.end('SIGTERM')
  await eventually('health to fail', async () => !await server.healthy())
  assert.match((await command('health', '-c', server.path('health.toml'))).stderr, /503/)
  await assert.rejects(server.raw('P1'), /503/)
  await within('an answer', client.presence.getAll([]))
  process.kill(server.pid, 'SIGTERM')
  assert.equal(await ended, 1)
  await configure({})
  await server.start()
  await eventually('the client to be back', () => client.getConnectionState() === 'OPEN')
  client.errors.length = 0 // the server left without a word
})

test('a log that nobody reads holds nobody up', async () => {
  await server.end('SIGTERM')
  await configure({ logLevel: 'DEBUG' })
  const child = spawn(BINARY, ['-c', conf, '--port', String(server.port), '--host', '127.0.0.1'], { stdio: ['ignore', 'pipe', 'pipe'], cwd: server.path('.') })
  const exited = once(child, 'exit')
  try {
    await eventually('health check', () => server.healthy())
    for (let i = 0; i < 2_000; i += 50) { // half a megabyte of lines: more than a pipe holds
      const raws = await Promise.all(Array.from({ length: 50 }, () => server.raw('P3', 'x'.repeat(100))))
      raws.forEach(raw => raw.close())
    }
    const raw = await server.raw()
    await raw.settled()
    child.kill('SIGTERM')
    assert.equal(await raw.closed(), 1001)
    assert.deepEqual(await within('exit', exited), [0, null])
  } finally {
    child.kill('SIGKILL')
    await configure({})
    await server.start()
  }
})
