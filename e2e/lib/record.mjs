// What the record tests share: replies as the specification words them, and records that are ready to use.
//
// A record answers in one order: what it told a connection about a name stands before the answer to a later HEAD or
// READ of that name. So `head` and `read` also show that nothing else was said in between.

import assert from 'node:assert/strict'
import { connection, record, RECORD_ACTION } from './raw.mjs'
import { within } from './wait.mjs'

const PATCH_MULTI = 35 // newer than the protobuf package
const code = action => RECORD_ACTION[action] ?? PATCH_MULTI

/** A request or reply; unlike `record` of the raw client it knows PATCH_MULTI. */
export const message = (action, fields) => ({ ...record(action, fields), action: code(action) })

/** The confirmation of a write that asked for one under `correlationId`. */
export const written = (name, correlationId) => record('WRITE_ACKNOWLEDGEMENT', { name, correlationId, isWriteAck: true })

/** Two fields a write carries to be acknowledged; they come back with every outcome. */
export const acked = correlationId => ({ correlationId, isWriteAck: true })

/** A refusal in answer to the request `originalAction`, with isError. */
export const refused = (action, originalAction, fields) =>
  record(action, { isError: true, originalAction: code(originalAction), ...fields })

/** The answer to a write whose version is taken: the record as it is. */
export const conflict = (originalAction, name, version, data, fields) =>
  record('VERSION_EXISTS', { originalAction: code(originalAction), name, version, data, ...fields })

/** HEAD is answered with `version`, and nothing was said about `name` before. */
export const head = (raw, name, version) => raw.ask(record('HEAD', { name }), record('HEAD_RESPONSE', { name, version }))

/** READ is answered with exactly this, and nothing was said about `name` before. */
export const read = (raw, name, version, data) =>
  raw.ask(record('READ', { name }), record('READ_RESPONSE', { name, version, data }))

/** Subscribes, creating what is missing, and checks the snapshot that comes after the acknowledgement. */
export async function subscribe (raw, name, version = 0, data = '{}') {
  const request = record('SUBSCRIBECREATEANDREAD', { names: [name], correlationId: '0' })
  await raw.ask(request, { ...request, isAck: true }, record('READ_RESPONSE', { name, version, data }))
  return raw
}

/** Writes a whole record and waits until it is stored. */
export const store = (raw, name, data, version = -1) =>
  raw.ask(record('CREATEANDUPDATE', { name, version, data: JSON.stringify(data), ...acked('store') }), written(name, 'store'))

/** A raw connection that announces the first client version which understands PATCH_MULTI. */
export async function modern (server) {
  const raw = await server.raw('P1')
  const hello = { url: 'ws://e2e', protocolVersion: '0.1a', sdkVersion: '7.1.0', sdkType: 'javascript' }
  await raw.ask(connection('CHALLENGE', hello), connection('ACCEPT'))
  await raw.login('modern')
  return raw
}

/** A record of an official client, once it is ready. */
export const open = (client, name) => within(`${name} to be ready`, client.record.getRecord(name).whenReady())

/** Resolves with what `promise` rejects with. */
export const failure = (what, promise) => within(what, promise.then(() => assert.fail(`must fail: ${what}`), error => error))

/** Takes an official client's error events out, and leaves none: they are `expected`, in any order. */
export function provoked (client, ...expected) {
  assert.deepEqual(client.errors.splice(0).sort(), expected.sort())
}

/** After connections were cut on purpose: an official client has complained about that and about nothing else. */
export function disconnected (...clients) {
  for (const { errors } of clients) {
    assert.deepEqual(errors.splice(0).filter(error => !error.startsWith('CONNECTION ')), [])
  }
}

/**
 * Whether an official client has compared its open records with the server since the last connection loss. It marks
 * all of them dirty then, tells nobody when a mark goes, and writes of a marked record carry a version that is taken.
 */
export const caughtUp = client => client.record.names().every(name => !client.record.dirtyService.isDirty(name))

/** Lets official clients warn that they resolved a conflict otherwise than by taking the remote side. */
export function expectConflictWarnings () {
  const warn = console.warn
  console.warn = text => /VERSION_EXISTS/.test(text) || warn(text)
}
