// What the server makes of every kind of input in every phase of a connection (wire format, "Unknown and invalid input").

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve } from '../lib/server.mjs'
import {
  auth, connection, encode, event, parser, PONG, presence, record, rpc, TOPIC
} from '../lib/raw.mjs'
import { eventually } from '../lib/wait.mjs'

const server = await serve({ enabledFeatures: { record: false } }) // to see one feature that is switched off

const hex = text => Buffer.from(text.replaceAll(' ', ''), 'hex')
const NOTHING = null
const REFUSED = { P1: connection('INVALID_MESSAGE'), P2: auth('INVALID_MESSAGE'), P3: parser('UNKNOWN_TOPIC') }
const UNKNOWN = 99

// [what, bytes, { phase: reply }]; a reply that closes the connection is wrapped in closing().
const closing = reply => ({ closing: reply })
const table = [
  ['an empty frame', hex(''), REFUSED],
  ['an empty envelope', hex('00'), REFUSED],
  ['a length that overruns the frame', hex('20 10 02'), REFUSED],
  ['an endless length', hex('ff ff ff ff ff ff ff ff ff ff ff'), REFUSED],
  ['a truncated inner message', hex('05 10 04 1a 01 08'), REFUSED],
  ['a wire type that does not exist', hex('02 17 00'), REFUSED],
  ['topic 0', hex('06 10 00 1a 02 08 02'), REFUSED],
  ['topic 11', hex('06 10 0b 1a 02 08 02'), REFUSED],
  ['topic 50', hex('06 10 32 1a 02 08 02'), REFUSED],
  ['topic 100', hex('06 10 64 1a 02 08 02'), REFUSED],
  ['CONNECTION PING', hex('06 10 02 1a 02 08 02'), { P1: PONG, P2: PONG, P3: PONG }],
  ['CONNECTION CHALLENGE', encode(connection('CHALLENGE')), { ...REFUSED, P1: connection('ACCEPT') }],
  ...['PONG', 'ACCEPT', 'REJECT', 'REDIRECT', 'CLOSING', 'CLOSED', 'AUTHENTICATION_TIMEOUT'].map(action =>
    [`CONNECTION ${action}`, encode(connection(action)), { ...REFUSED, P1: NOTHING }]),
  ['an unknown CONNECTION action', hex('06 10 02 1a 02 08 63'), { ...REFUSED, P1: NOTHING }],
  ['AUTH REQUEST', encode(auth('REQUEST', { data: '{}' })), { ...REFUSED, P2: auth('AUTH_SUCCESSFUL') }],
  ...['AUTH_SUCCESSFUL', 'AUTH_UNSUCCESSFUL', 'ERROR'].map(action =>
    [`AUTH ${action}`, encode(auth(action)), { ...REFUSED, P2: closing(auth('INVALID_MESSAGE_DATA')) }]),
  ['an unknown AUTH action', encode({ topic: TOPIC.AUTH, action: UNKNOWN }), { ...REFUSED, P2: closing(auth('INVALID_MESSAGE_DATA')) }],
  ['RECORD, switched off', encode(record('READ', { name: 'r' })), REFUSED],
  ...Object.entries({ EVENT: event, RPC: rpc, PRESENCE: presence }).map(([topic, build]) =>
    [`an unknown ${topic} action`, encode({ ...build('UNKNOWN'), action: UNKNOWN }), {
      ...REFUSED, P3: parser('UNKNOWN_ACTION', { originalTOPIC: TOPIC[topic], originalAction: UNKNOWN })
    }]),
  ['EVENT EMIT nobody subscribed to', encode(event('EMIT', { name: 'e', data: '1' })), { ...REFUSED, P3: NOTHING }],
  ['EVENT SUBSCRIBE', encode(event('SUBSCRIBE', { names: ['n'] })), { ...REFUSED, P3: event('SUBSCRIBE', { isAck: true }) }],
  ['EVENT LISTEN', encode(event('LISTEN', { name: 'p' })), { ...REFUSED, P3: event('LISTEN', { name: 'p', isAck: true }) }],
  ['RPC PROVIDE', encode(rpc('PROVIDE', { names: ['n'] })), { ...REFUSED, P3: rpc('PROVIDE', { isAck: true }) }],
  ['PRESENCE SUBSCRIBE_ALL', encode(presence('SUBSCRIBE_ALL')), { ...REFUSED, P3: presence('SUBSCRIBE_ALL', { isAck: true }) }],
  ...['PARSER', 'MONITORING', 'CLUSTER', 'LOCK'].map(topic =>
    [`topic ${topic}`, encode({ topic: TOPIC[topic], action: 1 }), REFUSED]),
]

/** Waits until nobody else is there, whose leave would be told to who subscribes to presence. */
async function alone (raw) {
  await eventually('everybody else left', async () => {
    raw.send(presence('QUERY_ALL'))
    return (await raw.next()).names === undefined
  })
}

for (const [what, bytes, replies] of table) {
  for (const phase of ['P1', 'P2', 'P3']) {
    test(`${what} in ${phase}`, async () => {
      const raw = await server.raw(phase, `${what} ${phase}`) // so that nobody comes or goes who is of its name
      if (phase === 'P3') await alone(raw)
      raw.sendFrame(bytes)
      const expected = replies[phase]
      if (expected?.closing) {
        await raw.expect(expected.closing)
        await raw.closed()
        return
      }
      if (expected === REFUSED.P3) {
        const { originalTOPIC, originalAction, ...reply } = await raw.next() // diagnostics are optional here
        assert.deepEqual(reply, expected)
      } else if (expected !== NOTHING) {
        await raw.expect(expected)
      }
      await raw.settled() // still open, and nothing else was said
    })
  }
}

test('unknown fields are skipped, the last of a repeated scalar counts', async () => {
  const raw = await server.raw()
  // EVENT SUBSCRIBE: correlationId "0" and then "1", names ["n"], unknown varint field 60 and unknown bytes field 61.
  raw.sendFrame(hex('16 10 04 1a 12 08 03 1a 01 30 1a 01 31 3a 01 6e e0 03 05 ea 03 01 78'))
  await raw.expect(event('SUBSCRIBE', { isAck: true, correlationId: '1' }))
})

test('present zero values equal absent ones', async () => {
  const raw = await server.raw()
  await raw.request(event('SUBSCRIBE', { names: ['zero'], correlationId: '0', isAck: false, isError: false, originalAction: 0 }),
    event('SUBSCRIBE', { isAck: true, correlationId: '0' }))
})
