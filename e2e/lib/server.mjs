// One server process per test file, on a free loopback port, with everything opened against it.
//
// serve() registers the checks every file ends with: the process still lives, stops with exit code 0 when asked to,
// and logged no error; after each test, no official client has reported anything nobody expected.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, afterEach } from 'node:test'
import { fileURLToPath } from 'node:url'
import library from '@deepstream/client'
import { Raw } from './raw.mjs'
import { Tcp } from './tcp.mjs'
import { toml } from './toml.mjs'
import { eventually, within } from './wait.mjs'

export const BINARY = resolve(process.env.DEEPSTREAM_FAST_BIN ?? // a server runs in a folder of its own
  fileURLToPath(new URL('../../bin/deepstream-fast', import.meta.url)))
/** Whether every operation of the server is checked, by the race detector and by assertions, which makes it slow. */
export const CHECKED = BINARY.endsWith('-checked')
const TROUBLE = /panic:|fatal error:|^goroutine \d|DATA RACE|"level":\s*(?:[56]0|"(?:ERROR|FATAL)")/im

const current = (url, options) => new library.DeepstreamClient(url, options)

const warnings = []
console.warn = text => warnings.push(String(text)) // the official client reports missing acks only here

export class Server {
  #child
  #folder
  #opened = [] // functions that close what the running test opened
  #clients = []
  log = ''

  /** `ca` is the authority that vouches for a server that speaks TLS. */
  constructor (folder, port, ca) {
    this.#folder = folder
    this.port = port
    this.ca = ca
  }

  get url () { return `127.0.0.1:${this.port}` }
  /** A path in the folder of the configuration. */
  path (name) { return join(this.#folder, name) }
  get pid () { return this.#child.pid }
  get running () { return this.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null }

  /** Starts the process and waits for its health check. Also restarts one that ended, on the same port. */
  async start () {
    const args = ['-c', join(this.#folder, 'conf.toml'), '--port', String(this.port), '--host', '127.0.0.1']
    this.#child = spawn(BINARY, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.#folder })
    process.once('exit', () => this.#child.kill('SIGKILL')) // a file that is aborted leaves no server behind
    this.#child.on('error', error => { this.log += String(error) })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', text => { this.log += text })
    }
    await eventually('health check', () => !this.running || this.healthy())
    assert.ok(this.running, `cannot start ${BINARY}:\n${this.log}`)
  }

  async healthy () {
    if (this.ca) return await this.healthyOverTLS()
    const answer = await fetch(`http://${this.url}/health-check`).catch(() => undefined)
    await answer?.arrayBuffer()
    return answer?.status === 200
  }

  healthyOverTLS () {
    return new Promise(resolve => {
      get(`https://${this.url}/health-check`, { ca: this.ca, agent: false }, answer => {
        answer.resume().on('end', () => resolve(answer.statusCode === 200))
      }).on('error', () => resolve(false))
    })
  }

  /** Sends a signal to the process and resolves with its exit code (null if the signal ended it). */
  async end (signal) {
    const ended = this.running ? once(this.#child, 'exit') : [this.#child.exitCode]
    process.kill(this.pid, signal)
    const [code] = await within(`exit after ${signal}`, ended)
    return code
  }

  /** Resident memory in bytes. */
  async memory () {
    const status = await readFile(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) * 1024
  }

  /**
   * An official client, not logged in. Its error events collect in `client.errors`: a test that provokes some takes
   * them out, whatever is left fails the file.
   */
  connect (options = {}, { create = current, url = this.ca ? `wss://${this.url}` : this.url } = {}) {
    if (this.ca) options = { ...options, socketOptions: { ca: this.ca, ...options.socketOptions } }
    const client = create(url, {
      subscriptionInterval: 0, reconnectIntervalIncrement: 20, maxReconnectInterval: 200, maxReconnectAttempts: 500, ...options
    })
    client.errors = []
    client.on('error', (detail, event, topic) => client.errors.push(`${topic} ${event}`))
    this.#opened.push(() => client.close())
    this.#clients.push(client)
    return client
  }

  /** An official client logged in as `username` (anonymous without one). */
  async login (username, options, from) {
    const client = this.connect(options, from)
    await within(`login of ${username}`, client.login(username === undefined ? {} : { username }))
    return client
  }

  /** A raw protocol socket in phase P1 (fresh), P2 (challenged) or P3 (logged in). */
  async raw (phase = 'P3', username = undefined, options = {}) {
    const raw = await Raw.open(`${this.ca ? 'wss' : 'ws'}://${this.url}/deepstream`, { ca: this.ca, ...options })
    this.#opened.push(() => raw.destroy())
    if (phase !== 'P1') await raw.challenge()
    if (phase === 'P3') await raw.login(username)
    return raw
  }

  /** A TCP connection that speaks WebSocket by hand. */
  async tcp () {
    const tcp = await Tcp.open(this.port)
    this.#opened.push(() => tcp.destroy())
    return tcp
  }

  /** Closes what the last test opened and checks that no client of it saw anything unexpected. */
  release () {
    const errors = this.#clients.splice(0).flatMap(client => client.errors)
    this.#opened.splice(0).forEach(close => close())
    assert.deepEqual(errors, [], 'error events nobody expected')
    assert.deepEqual(warnings.splice(0), [], 'warnings of the official client')
  }

  async finish () {
    const alive = this.running
    const code = alive ? await this.end('SIGTERM') : undefined
    assert.ok(alive, `the server died:\n${this.log}`)
    assert.equal(code, 0, `exit code after SIGTERM:\n${this.log}`)
    assert.doesNotMatch(this.log, TROUBLE)
  }
}

/** Resolves when the server has handled everything `client` sent before: it handles one connection's messages in order. */
export const settled = client => within('settling', client.presence.getAll([]))

/** What every configuration has unless it says otherwise: files run side by side. */
export const QUIET = { logger: { type: 'json' }, monitoringServer: { enabled: false } }

/**
 * Starts the server of a test file; `config` is its conf.toml as an object. `prepare` is called with the folder before,
 * and returns the authority if the server is to speak TLS.
 */
export async function serve (config = {}, { prepare } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'deepstream-fast-e2e-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'conf.toml'), toml({ ...QUIET, ...config }))
  const prepared = await prepare?.(folder) // takes its time, in which a free port may find another owner
  const server = new Server(folder, await freePort(), prepared)
  afterEach(() => server.release())
  after(() => server.finish())
  await server.start()
  return server
}

/** Ports of outgoing connections come from a higher range, so a restarted server finds its own still free. */
async function freePort () {
  for (;;) {
    const port = 18_000 + Math.floor(Math.random() * 14_000)
    const probe = createServer()
    const free = await new Promise(resolve => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
    })
    await new Promise(resolve => probe.close(resolve))
    if (free) return port
  }
}
