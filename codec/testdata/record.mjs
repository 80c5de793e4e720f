// Records what the official encoder makes of messages: node record.mjs DIR writes DIR/<topic>.json.
// Every action alone, every field alone with its zero value and with others, all fields together,
// and messages as client and server exchange them.
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { vector, lines } from './vector.mjs'

const require = createRequire(import.meta.url)
const { getMessage } = require('@deepstream/protobuf/dist/src/message-builder')
const types = require('@deepstream/protobuf/dist/types/all')
const { TOPIC, EVENT_ACTION: E, RECORD_ACTION: R, RPC_ACTION: P, PRESENCE_ACTION: U, CONNECTION_ACTION: C, AUTH_ACTION: A } = types

const samples = {
  string: ['', 'a', 'k\u00e4se/\u65e5\u672c/\ud83d\ude00', 'nul\u0000 and "quotes"', 'lone \ud800 and \udfff', 'x'.repeat(127), 'x'.repeat(128)],
  bool: [false, true],
  int32: [0, 1, 127, 128, 2147483647, -1, -2147483648],
  names: [[], [''], ['a'], ['a', '', 'bc', 'a'], Array.from({ length: 60 }, (_, i) => `sensor/${i}`), ['y'.repeat(200)]],
  versions: [{}, { a: 0 }, { b: -1, a: 7, '': 128, '\u65e5\u672c': 2147483647 }, { ['z'.repeat(130)]: 1 }]
}

const head = { data: 'string', correlationId: 'string', isError: 'bool', isAck: 'bool' }
const originals = { originalTOPIC: 'int32', originalAction: 'int32' }
const topics = {
  PARSER: { data: 'string', ...originals },
  CONNECTION: { data: 'string', isError: 'bool', isAck: 'bool', url: 'string', protocolVersion: 'string', sdkVersion: 'string', sdkType: 'string' },
  AUTH: { data: 'string', isError: 'bool', isAck: 'bool' },
  EVENT: { ...head, name: 'string', names: 'names', subscription: 'string', ...originals },
  RECORD: {
    ...head, name: 'string', names: 'names', pattern: 'string', subscription: 'string', originalAction: 'int32',
    isWriteAck: 'bool', path: 'string', version: 'int32', versions: 'versions'
  },
  RPC: { ...head, names: 'names', name: 'string', originalAction: 'int32', requestorName: 'string' },
  PRESENCE: { ...originals, ...head, name: 'string', names: 'names' },
  MONITORING: head,
  CLUSTER: { data: 'string', isError: 'bool', isAck: 'bool', leaderScore: 'int32', role: 'string' },
  LOCK: { locked: 'bool' }
}

const exchanges = {
  CONNECTION: [
    { action: C.CHALLENGE, url: 'ws://localhost:6020/deepstream', protocolVersion: '0.1a', sdkVersion: '7.1.0', sdkType: 'javascript' },
    { action: C.REDIRECT, url: 'wss://other.example/deepstream' }
  ],
  AUTH: [
    { action: A.REQUEST, data: '{"username":"ann","password":"\u00df"}' },
    { action: A.AUTH_SUCCESSFUL, data: 'null' }
  ],
  EVENT: [
    { action: E.SUBSCRIBE, names: ['a', 'bc'], correlationId: '0' },
    { action: E.SUBSCRIBE, correlationId: '0', isAck: true },
    { action: E.EMIT, name: 'chat', data: '{"text":"hello"}' },
    { action: E.EMIT, name: 'chat', data: '1'.repeat(16383) },
    { action: E.EMIT, name: 'chat', data: '1'.repeat(16384) },
    { action: E.LISTEN_ACCEPT, name: '^chat/.*', subscription: 'chat/1' },
    { action: E.MESSAGE_DENIED, name: 'chat', originalAction: E.EMIT, isError: true }
  ],
  RECORD: [
    { action: R.SUBSCRIBECREATEANDREAD, names: ['user/1'], correlationId: '1' },
    { action: R.READ_RESPONSE, name: 'user/1', version: 0, data: '{}' },
    { action: R.HEAD_RESPONSE, name: 'x', version: -1 },
    { action: R.HEAD_RESPONSE_BULK, versions: { a: 0 }, isAck: true },
    { action: R.PATCH, name: 'user/1', version: 3, path: 'a.b[0]', data: '"\ud83d\ude00"', correlationId: '2', isWriteAck: true },
    { action: R.ERASE, name: 'user/1', version: -1, path: 'a' },
    { action: R.CREATEANDUPDATE, name: 'user/1', version: -1, data: '{"n":1}', correlationId: '3', isWriteAck: false },
    { action: R.PATCH_MULTI, name: 'user/1', version: 4, data: '[{"path":"a","data":1}]' },
    { action: R.VERSION_EXISTS, name: 'user/1', version: 9, data: '{}', originalAction: R.UPDATE, isWriteAck: true, correlationId: '4' }
  ],
  RPC: [
    { action: P.PROVIDE, names: ['add', 'sub'], correlationId: '5' },
    { action: P.REQUEST, name: 'add', correlationId: 'c1', data: '[1,2]' },
    { action: P.REQUEST, name: 'add', correlationId: 'c1', data: '[1,2]', requestorName: 'ann', requestorData: { id: 1 } },
    { action: P.RESPONSE, name: 'add', correlationId: 'c1', data: '3' }
  ],
  PRESENCE: [
    { action: U.QUERY, names: ['ann', 'bob'], correlationId: '6' },
    { action: U.QUERY_ALL_RESPONSE, names: ['ann'] },
    { action: U.QUERY_RESPONSE, correlationId: '6', data: '{"ann":true,"bob":false}' }
  ]
}

function record (topicName, name, fields) {
  const message = { topic: TOPIC[topicName], ...fields }
  // getMessage turns requestorData into JSON text in place: what it leaves behind is what it wrote.
  const bytes = getMessage(message, false)
  return vector(name, bytes, message)
}

function * vectorsOf (topicName, fields) {
  const actions = types[`${topicName}_ACTION`]
  for (const action of Object.values(actions).filter(Number.isInteger)) {
    yield record(topicName, actions[action], { action })
  }
  yield record(topicName, 'no action', {})
  yield record(topicName, 'negative action', { action: -1 })
  for (const [field, type] of Object.entries(fields)) {
    for (const [i, sample] of samples[type].entries()) {
      yield record(topicName, `${field} sample ${i}`, { action: 1, [field]: sample })
    }
  }
  const all = pick => Object.fromEntries(Object.entries(fields).map(([field, type]) => [field, samples[type].at(pick)]))
  yield record(topicName, 'all fields, zero', { action: 0, ...all(0) })
  yield record(topicName, 'all fields, not zero', { action: 2, ...all(1) })
  yield record(topicName, 'all fields, large', { action: 200, ...all(-1) })
  for (const [i, message] of (exchanges[topicName] ?? []).entries()) {
    yield record(topicName, `exchange ${i} ${actions[message.action]}`, message)
  }
}

const dir = process.argv[2]
for (const [topicName, fields] of Object.entries(topics)) {
  writeFileSync(join(dir, `${topicName.toLowerCase()}.json`), lines([...vectorsOf(topicName, fields)]))
}
