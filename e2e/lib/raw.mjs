// A protocol client that adds nothing and hides nothing: it shows exactly which fields came over the wire.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import WebSocket from 'ws'
import { getMessage } from '@deepstream/protobuf/dist/src/message-builder.js'
import { parse } from '@deepstream/protobuf/dist/src/message-parser.js'
import types from '@deepstream/protobuf/dist/types/all.js'
import { DEADLINE, never, within } from './wait.mjs'

export const {
  TOPIC, PARSER_ACTION, CONNECTION_ACTION, AUTH_ACTION, EVENT_ACTION, RPC_ACTION, PRESENCE_ACTION, RECORD_ACTION
} = types

export const event = (action, fields) => ({ topic: TOPIC.EVENT, action: EVENT_ACTION[action], ...fields })
export const rpc = (action, fields) => ({ topic: TOPIC.RPC, action: RPC_ACTION[action], ...fields })
export const presence = (action, fields) => ({ topic: TOPIC.PRESENCE, action: PRESENCE_ACTION[action], ...fields })
export const record = (action, fields) => ({ topic: TOPIC.RECORD, action: RECORD_ACTION[action], ...fields })
export const auth = (action, fields) => ({ topic: TOPIC.AUTH, action: AUTH_ACTION[action], ...fields })
export const connection = (action, fields) => ({ topic: TOPIC.CONNECTION, action: CONNECTION_ACTION[action], ...fields })
export const parser = (action, fields) => ({ topic: TOPIC.PARSER, action: PARSER_ACTION[action], ...fields })

export const PING = connection('PING')
export const PONG = connection('PONG')

/** The bytes of one frame that holds the given messages one after the other. */
export const encode = (...messages) => Buffer.concat(messages.map(message => getMessage({ ...message }, false)))

/** Decodes one frame, insisting that it holds one message and not a byte more. */
export function decode (frame) {
  let length = 0
  let offset = 0
  do length |= (frame[offset] & 0x7f) << (7 * offset); while (frame[offset++] & 0x80)
  assert.equal(frame.length - offset, length, 'a frame from the server holds exactly one message')
  const [message] = parse(frame)
  // Repeated fields decode as empty lists and maps when absent; on the wire both are nothing.
  return Object.fromEntries(Object.entries(message)
    .filter(([, value]) => typeof value !== 'object' || Object.keys(value).length > 0))
}

export class Raw {
  #socket
  #inbox = []
  #wake = () => {}
  #closed

  /** Resolves when the upgrade is done; rejects with the HTTP status if it is refused. */
  static async open (url, options = {}) {
    const raw = new Raw()
    const socket = raw.#socket = new WebSocket(url, options)
    socket.on('message', (data, isBinary) => {
      raw.#inbox.push(isBinary ? data : new Error('text frame from the server'))
      raw.#wake()
    })
    raw.#closed = new Promise(resolve => socket.on('close', code => {
      raw.#inbox.push(new Error(`closed with ${code}`))
      raw.#wake()
      resolve(code)
    }))
    await within('upgrade', new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)))
    socket.on('error', () => {}) // 'close' follows and tells
    return raw
  }

  async challenge () {
    this.send(connection('CHALLENGE', { url: 'ws://e2e', protocolVersion: '0.1a', sdkVersion: '7.0.5', sdkType: 'javascript' }))
    await this.expect(connection('ACCEPT'))
  }

  async login (username) {
    this.send(auth('REQUEST', { data: JSON.stringify({ username }) }))
    await this.expect(auth('AUTH_SUCCESSFUL'))
  }

  /** Sends each message in a frame of its own. */
  send (...messages) {
    for (const message of messages) this.sendFrame(encode(message))
  }

  sendFrame (bytes) {
    this.#socket.send(bytes)
  }

  /** Sends one message cut into fragments, with a WebSocket ping between any two of them. */
  sendFragments (...parts) {
    parts.forEach((part, i) => {
      if (i > 0) this.#socket.ping()
      this.#socket.send(part, { fin: i === parts.length - 1 })
    })
  }

  /** Sends a WebSocket ping and waits for its pong. */
  async ping () {
    const pong = once(this.#socket, 'pong')
    this.#socket.ping('payload')
    const [payload] = await within('WebSocket pong', pong)
    assert.equal(String(payload), 'payload')
  }

  /** How many messages wait to be read. */
  get unread () { return this.#inbox.length }

  /** The next message, in arrival order. One reader at a time. */
  async next (deadline = DEADLINE) {
    const end = Date.now() + deadline
    while (this.#inbox.length === 0) {
      await within('a message', new Promise(resolve => { this.#wake = resolve }), Math.max(1, end - Date.now()))
    }
    const frame = this.#inbox[0]
    if (frame instanceof Error) throw frame // stays: nothing follows it
    this.#inbox.shift()
    return decode(frame)
  }

  /** The next messages are these, with exactly these fields present. */
  async expect (...expected) {
    for (const message of expected) assert.deepEqual(await this.next(), message)
  }

  /** Sends a message and checks the replies to come. */
  async ask (message, ...replies) {
    this.send(message)
    await this.expect(...replies)
  }

  /**
   * Sends a message that concerns this connection alone and checks all its replies: nothing may stand between them and
   * the answer to a PING. Where other connections take part, replies may come after that answer; there, use ask and quiet.
   */
  async request (message, ...replies) {
    this.send(message, PING)
    await this.expect(...replies, PONG)
  }

  /** Shows that this connection is open, its input handled so far, and nothing unread on it. */
  async settled () {
    this.send(PING)
    await this.expect(PONG)
  }

  /** Shows that nothing more is said to this connection, not even by others after a while. */
  async quiet () {
    await never('a further message', () => this.unread > 0)
    await this.settled()
  }

  /** The close code the server sent. */
  closed () { return within('close', this.#closed) }

  pause () { this.#socket.pause() }
  resume () { this.#socket.resume() }
  close () { this.#socket.close() }
  destroy () { this.#socket.terminate() }
}
