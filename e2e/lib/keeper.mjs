// A service manager for the tests: keeper/main.go, which holds the listening socket while servers come and go.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { BINARY } from './server.mjs'
import { toml } from './toml.mjs'
import { eventually } from './wait.mjs'

export class Keeper {
  #child
  #folder = mkdtempSync(join(tmpdir(), 'deepstream-fast-keeper-'))
  said = [] // lines of the keeper
  log = '' // of all servers

  static async listen (config) {
    const keeper = new Keeper()
    process.once('exit', () => rmSync(keeper.#folder, { recursive: true, force: true }))
    const binary = join(keeper.#folder, 'keeper')
    const built = spawnSync('go', ['build', '-o', binary, './e2e/keeper'], { cwd: fileURLToPath(new URL('../..', import.meta.url)), encoding: 'utf8' })
    if (built.status !== 0) throw new Error(built.stderr || String(built.error))
    writeFileSync(keeper.path('conf.toml'), toml({ logger: { type: 'json' }, ...config }))
    const child = keeper.#child = spawn(binary, [BINARY, '-c', keeper.path('conf.toml')], { stdio: ['pipe', 'pipe', 'pipe'], cwd: keeper.#folder })
    createInterface(child.stdout).on('line', line => keeper.said.push(line))
    child.stderr.setEncoding('utf8').on('data', text => { keeper.log += text })
    keeper.port = Number((await keeper.hears(/^listening (\d+)/))[1])
    return keeper
  }

  get url () { return `127.0.0.1:${this.port}` }
  /** A path in the folder of the configuration. */
  path (name) { return join(this.#folder, name) }
  order (what) { this.#child.stdin.write(what + '\n') }

  /** The match of the first line from index `from` on that fits. */
  hears (pattern, from = 0) {
    return eventually(`${pattern} of the keeper`, () => this.said.slice(from).map(line => pattern.exec(line)).find(Boolean), 20_000)
  }

  async end () {
    const ended = once(this.#child, 'exit')
    this.#child.stdin.end()
    await ended
  }
}
