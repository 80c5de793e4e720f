// node chat.mjs <name> – talk to everybody else who runs this. "/roll bob" asks bob's process to roll a die.

import { createInterface } from 'node:readline'
import deepstream from '@deepstream/client'

const name = process.argv[2]
if (!name) {
  console.error('usage: node chat.mjs <name>')
  process.exit(2)
}

const client = new deepstream.DeepstreamClient(process.env.DEEPSTREAM_URL ?? 'localhost:6020')
client.on('error', (detail, event) => console.error(`! ${event}: ${detail}`))
await client.login({ username: name })

// Events: everybody who subscribed gets what anybody else says. One hears oneself, too: without a round trip.
client.event.subscribe('chat', ({ from, text }) => from === name || console.log(`${from}: ${text}`))

// Presence: users are online as long as they have a connection.
client.presence.subscribe((user, online) => console.log(`* ${user} ${online ? 'joined' : 'left'}`))

// Calls: each process offers a die under its user's name.
client.rpc.provide(`roll/${name}`, (sides, response) => {
  if (!Number.isInteger(sides) || sides < 1) return response.error('a die needs at least one side')
  return response.send(1 + Math.floor(Math.random() * sides))
})

const others = await client.presence.getAll()
console.log(`* hello ${name}, ${others.length ? `here are ${others.sort().join(', ')}` : 'nobody else is here'}`)

async function roll (user, sides = 6) {
  try {
    console.log(`* ${user} rolled ${await client.rpc.make(`roll/${user}`, Number(sides))}`)
  } catch (reason) {
    console.log(`* no roll from ${user}: ${reason}`)
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const text = line.trim()
  if (text.startsWith('/roll ')) await roll(...text.split(/\s+/).slice(1))
  else if (text) client.event.emit('chat', { from: name, text })
}
client.close()
