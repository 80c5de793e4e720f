// Two people use examples/chat through pipes.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { serve } from '../lib/server.mjs'
import { eventually, within } from '../lib/wait.mjs'

const server = await serve()
const path = relative => fileURLToPath(new URL(relative, import.meta.url))

// The example finds its one dependency next to itself; here it is the one this suite has installed.
const folder = await mkdtemp(join(tmpdir(), 'deepstream-fast-chat-'))
await copyFile(path('../../examples/chat/chat.mjs'), join(folder, 'chat.mjs'))
await symlink(path('../node_modules'), join(folder, 'node_modules'))
const running = new Set()
after(async () => {
  running.forEach(child => child.kill('SIGKILL'))
  await rm(folder, { recursive: true, force: true })
})

function chat (name) {
  const child = spawn(process.execPath, [join(folder, 'chat.mjs'), name], { env: { ...process.env, DEEPSTREAM_URL: server.url } })
  running.add(child)
  let output = ''
  let ended = false
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', text => { output += text })
  child.on('exit', () => { ended = true; running.delete(child) })
  return {
    type: line => child.stdin.write(`${line}\n`),
    sees: pattern => eventually(`${name} sees ${pattern}`, () => {
      if (ended) throw new Error(`${name} ended: ${output}`)
      return pattern.test(output)
    }),
    get output () { return output },
    async leave () {
      const exit = once(child, 'exit')
      child.stdin.end()
      const [code] = await within(`${name} leaves`, exit)
      return code
    }
  }
}

test('a conversation', async () => {
  const alice = chat('alice')
  await alice.sees(/^\* hello alice, nobody else is here$/m)
  const bob = chat('bob')
  await bob.sees(/^\* hello bob, here are alice$/m)
  await alice.sees(/^\* bob joined$/m)
  // The client batches subscriptions for 100 ms, so the first words may go unheard: both repeat themselves.
  for (const [speaker, name, listener] of [[bob, 'bob', alice], [alice, 'alice', bob]]) {
    await eventually(`${name} is heard`, () => {
      speaker.type(`hello from ${name}`)
      return listener.output.includes(`${name}: hello from ${name}\n`)
    })
  }
  bob.type('/roll alice 1')
  await bob.sees(/^\* alice rolled 1$/m)
  bob.type('/roll alice none')
  await bob.sees(/^\* no roll from alice: a die needs at least one side$/m)
  bob.type('/roll zoe')
  await bob.sees(/^\* no roll from zoe: NO_RPC_PROVIDER$/m)
  assert.doesNotMatch(bob.output, /^bob: /m, 'what bob says is not repeated to him')
  assert.equal(await bob.leave(), 0)
  await alice.sees(/^\* bob left$/m)
  assert.equal(await alice.leave(), 0)
  assert.doesNotMatch(alice.output + bob.output, /^!/m, 'no errors')
})
