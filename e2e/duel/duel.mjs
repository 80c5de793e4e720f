// The same scripts against the official server and ours: `make duel`, or
//
//   node duel/duel.mjs [--only <regular expression>] [--seed <number>] [--rounds <number>] [--storage default] [--all]
//
// --only takes the scripts whose name matches, --seed repeats random scripts, --rounds says how many of them there are,
// --storage default gives our server its database, --all prints expected differences too, --trace everything. Exits with 1 if there is a
// difference that expected.mjs does not explain, or if it explains one that does not exist.

import { parseArgs } from 'node:util'
import { pair } from './arena.mjs'
import { differences, explanation } from './compare.mjs'
import { EXPECTED } from './expected.mjs'
import { random } from './random.mjs'
import { Stage } from './stage.mjs'

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' }, seed: { type: 'string' }, rounds: { type: 'string', default: '12' }, storage: { type: 'string', default: 'none' },
    all: { type: 'boolean', default: false }, trace: { type: 'boolean', default: false }
  }
})

const FILES = ['events', 'records', 'conflicts', 'lists', 'rpc', 'presence', 'listen', 'reconnect', 'login', 'permissions', 'http', 'http-guarded']

const PATIENCE = 8 // times the usual time for effects, for scripts that are looked at twice

/** All scripts as { name, arena, version, play }: those of files, some for an old client too, and random ones. */
async function collect () {
  const all = []
  for (const file of FILES) {
    const { arena = 'open', scripts, old = [] } = await import(`./scripts/${file}.mjs`)
    for (const [name, play] of Object.entries(scripts)) {
      all.push({ name: `${file}: ${name}`, arena, version: 7, play })
      if (old.includes(name)) all.push({ name: `${file} (client 4): ${name}`, arena, version: 4, play })
    }
  }
  const first = Number(options.seed ?? Math.floor(Math.random() * 1e9))
  for (let seed = first; seed < first + Number(options.rounds); seed++) {
    all.push({ name: `random: seed ${seed}`, arena: 'open', version: 7, play: random(seed) })
  }
  return all.filter(({ name }) => !options.only || new RegExp(options.only).test(name))
}

async function run (server, { version, play }, patience) {
  const stage = new Stage(server, { version, patience })
  const started = Date.now()
  await stage.play(play)
  stage.steps.took = Date.now() - started
  return stage.steps
}

function print (script, { step, client, order, official, ours }, entry) {
  console.log(`\n${entry ? 'expected' : 'UNEXPECTED'}${order ? ' (order)' : ''}: ${script}\n  step: ${step}\n  client: ${client}`)
  for (const line of official) console.log(`    official  ${line}`)
  for (const line of ours) console.log(`    ours      ${line}`)
  if (entry) console.log(`  because: ${entry.why}`)
}

function trace (name, official, ours) {
  console.log(`\n== ${name} (${official.took} and ${ours.took} ms)`)
  for (const [who, steps] of [['official', official], ['ours', ours]]) {
    for (const { title, heard, wire } of steps) {
      for (const line of wire) console.log(`${who} | ${title} | ${line}`)
      for (const [client, lines] of heard) for (const { line } of lines) console.log(`${who} | ${title} | ${client}: ${line}`)
    }
  }
}

/** The differences of a script with their explanations. */
async function compared (servers, script, patience) {
  const [official, ours] = await Promise.all(servers.map(server => run(server, script, patience)))
  if (options.trace) trace(script.name, official, ours)
  if (!servers.every(server => server.running)) await afresh(servers)
  return differences(official, ours).map(difference => ({ difference, entry: explanation(EXPECTED, script.name, difference) }))
}

const afresh = servers => Promise.all(servers.map(server => server.restart()))

/** A difference that nothing explains has to show again on fresh servers with much patience: else it was haste. */
async function judged (servers, script) {
  const first = await compared(servers, script, 1)
  if (first.every(({ entry }) => entry)) return first
  await afresh(servers)
  return await compared(servers, script, PATIENCE)
}

async function duel (scripts) {
  const used = new Set()
  const count = { expected: 0, unexpected: 0 }
  for (const arena of ['open', 'guarded']) {
    const mine = scripts.filter(script => script.arena === arena)
    if (mine.length === 0) continue
    const servers = await pair(arena, options.storage)
    for (const script of mine) {
      for (const { difference, entry } of await judged(servers, script)) {
        used.add(entry)
        count[entry ? 'expected' : 'unexpected']++
        if (!entry || options.all) print(script.name, difference, entry)
      }
    }
    await Promise.all(servers.map(server => server.stop()))
  }
  return { ...count, stale: EXPECTED.filter(entry => !used.has(entry) && !entry.sometimes) }
}

process.on('unhandledRejection', error => { throw error })

const scripts = await collect()
const started = Date.now()
const { expected, unexpected, stale } = await duel(scripts)
if (!options.only) for (const { script, step, why } of stale) console.log(`\nSTALE: ${script} ${step ?? ''} no longer differs: ${why}`)
const seeds = scripts.filter(({ name }) => name.startsWith('random')).map(({ name }) => name.replace(/\D+/, ''))
console.log(`\n${scripts.length} scripts in ${Math.round((Date.now() - started) / 1000)} s, random from --seed ${seeds[0] ?? '-'}; ` +
  `differences: ${expected} expected, ${unexpected} unexpected`)
process.exit(unexpected > 0 || (!options.only && stale.length > 0) ? 1 : 0)
