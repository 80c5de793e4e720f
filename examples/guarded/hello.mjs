// node hello.mjs <user> <password> – read and watch a record over TLS, and write it as far as the rules allow.

import deepstream from '@deepstream/client'

const [username, password] = process.argv.slice(2)
const client = new deepstream.DeepstreamClient(process.env.DEEPSTREAM_URL ?? 'wss://localhost:6020')
client.on('error', (detail, event) => console.error(`! ${event}: ${detail}`))
try {
  await client.login({ username, password })
  await client.record.setDataWithAck(`profiles/${username}`, { seen: Date.now() })
  console.log(`wrote profiles/${username}`)
  console.log('news/today is', await client.record.snapshot('news/today'))
} catch (reason) {
  console.error('refused:', reason)
  process.exitCode = 1
} finally {
  client.close()
}
