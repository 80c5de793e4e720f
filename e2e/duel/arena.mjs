// The two servers of a duel, configured alike: the official one from bench/rivals/official, and ours.

import { spawn } from 'node:child_process'
import { pbkdf2Sync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { toml } from '../lib/toml.mjs'
import { eventually, within } from '../lib/wait.mjs'
import { PERMISSIONS, USERS } from './rules.mjs'

const path = relative => fileURLToPath(new URL(relative, import.meta.url))
const OURS = process.env.DEEPSTREAM_FAST_BIN ?? path('../../bin/deepstream-fast')
const OFFICIAL = path('../../bench/rivals/official/node_modules/@deepstream/server/dist/bin/deepstream')

/** Short enough to be waited for, long enough that no busy machine reaches them by accident. */
export const TIMEOUTS = { ack: 400, response: 800, listen: 400 }
const HASH = { hash: 'sha512', iterations: 1_000, keyLength: 32 }

const endpoints = [
  { type: 'ws-binary', options: { urlPath: '/deepstream', maxAuthAttempts: 3 } },
  { type: 'http', options: { authPath: '/api/auth', postPath: '/api', getPath: '/api', allowAuthData: true, requestTimeout: 1_500 } }
]

/** What both read: only names and forms that the official server knows. */
const common = {
  showLogo: false,
  logLevel: 'ERROR',
  rpc: { ackTimeout: TIMEOUTS.ack, responseTimeout: TIMEOUTS.response },
  listen: { shuffleProviders: false, responseTimeout: TIMEOUTS.listen, rematchInterval: 60_000, matchCooldown: 10_000 },
  connectionEndpoints: endpoints
}

const open = { ...common, auth: [{ type: 'none' }], permission: { type: 'none' } }
const guarded = {
  ...common,
  rpc: { ...common.rpc, provideRequestorName: true, provideRequestorData: true },
  auth: [{ type: 'file', options: { users: 'fileLoad(users.yml)', ...HASH } }],
  permission: { type: 'config', options: { permissions: 'fileLoad(permissions.yml)', maxRuleIterations: 3 } }
}
const arenas = { open, guarded }

/** What differs: the official cache is all there is, ours keeps nothing unless it is told to. */
const only = {
  official: { telemetry: { type: 'deepstreamIO', options: { enabled: false } } },
  ours: storage => ({ monitoringServer: { enabled: false }, storage: { type: storage } })
}

function hashed (users) {
  return Object.fromEntries(Object.entries(users).map(([name, { password, ...rest }]) => {
    const salt = randomBytes(16).toString('base64')
    const key = pbkdf2Sync(password, salt, HASH.iterations, HASH.keyLength, HASH.hash).toString('base64')
    return [name, { password: key + salt, ...rest }]
  }))
}

/** JSON is YAML; fileLoad() is for the official server a text replacement, without quotes around it. */
const yaml = config => JSON.stringify(config, null, 2).replace(/"(fileLoad\([^)]*\))"/g, '$1')

async function freePort () {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  await new Promise(resolve => probe.close(resolve))
  return port
}

/** One server process. It may die, which is something to be observed, and is started again then. */
export class Server {
  #command
  #child
  #folder
  log = ''

  constructor (kind, arena, storage) {
    this.kind = kind
    this.arena = arena
    this.#folder = mkdtempSync(join(tmpdir(), `duel-${kind}-`))
    const file = join(this.#folder, kind === 'ours' ? 'conf.toml' : 'config.yml')
    const config = { ...arenas[arena], ...(kind === 'ours' ? only.ours(storage) : only.official) }
    writeFileSync(file, kind === 'ours' ? toml(config) : yaml(config))
    writeFileSync(join(this.#folder, 'users.yml'), JSON.stringify(hashed(USERS)))
    writeFileSync(join(this.#folder, 'permissions.yml'), JSON.stringify(PERMISSIONS))
    this.#command = kind === 'ours' ? [OURS, '-c', file] : [process.execPath, OFFICIAL, 'start', '-c', file]
    process.once('exit', () => {
      this.#child?.kill('SIGKILL')
      rmSync(this.#folder, { recursive: true, force: true })
    })
  }

  get url () { return `127.0.0.1:${this.port}` }
  get running () { return this.#child.exitCode === null && this.#child.signalCode === null }

  async start () {
    this.port = await freePort()
    const [program, ...args] = [...this.#command, '--host', '127.0.0.1', '--port', String(this.port)]
    this.#child = spawn(program, args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on('data', text => { this.log += text })
    const healthy = () => fetch(`http://${this.url}/health-check`).then(answer => answer.ok, () => false)
    await eventually(`${this.kind} server up`, async () => !this.running || await healthy(), 20_000)
    if (!this.running) throw new Error(`${this.kind} does not start:\n${this.log}`)
    return this
  }

  async stop () {
    if (!this.running) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await within('exit', ended)
  }

  /** After a death both servers start afresh, so that they remember equally little. */
  async restart () {
    await this.stop()
    rmSync(join(this.#folder, 'data'), { recursive: true, force: true })
    await this.start()
  }
}

export async function pair (arena, storage) {
  if (!existsSync(OFFICIAL)) throw new Error('the official server is not installed: npm ci in bench/rivals/official, or make duel')
  if (!existsSync(OURS)) throw new Error('bin/deepstream-fast is not built')
  return Promise.all(['official', 'ours'].map(kind => new Server(kind, arena, storage).start()))
}
