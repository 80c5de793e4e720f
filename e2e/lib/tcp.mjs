// WebSocket by hand over TCP, for everything a proper WebSocket library refuses to send.

import { once } from 'node:events'
import { connect } from 'node:net'
import { eventually, within } from './wait.mjs'

const UPGRADE = path =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])
export const TEXT = 1
export const BINARY = 2
const CLOSE = 8

/** A client frame; `declared` lies about the length, `masked: false` breaks RFC 6455 §5.1. */
export function frame (payload, { opcode = BINARY, masked = true, declared = payload.length } = {}) {
  const head = Buffer.alloc(10)
  head[0] = 0x80 | opcode
  head[1] = (masked ? 0x80 : 0) | 127
  head.writeBigUInt64BE(BigInt(declared), 2)
  if (!masked) return Buffer.concat([shorten(head, declared), payload])
  return Buffer.concat([shorten(head, declared), MASK, payload.map((byte, i) => byte ^ MASK[i % 4])])
}

/** RFC 6455 §5.2 wants the shortest length form. */
function shorten (head, length) {
  if (length > 0xffff) return head
  if (length > 125) return Buffer.from([head[0], (head[1] & 0x80) | 126, length >> 8, length & 0xff])
  return Buffer.from([head[0], (head[1] & 0x80) | length])
}

export class Tcp {
  #socket
  received = Buffer.alloc(0)
  ended = false

  static async open (port) {
    const tcp = new Tcp()
    const socket = tcp.#socket = connect(port, '127.0.0.1')
    socket.on('data', chunk => { tcp.received = Buffer.concat([tcp.received, chunk]) })
    await within('TCP connection', once(socket, 'connect'))
    socket.on('error', () => {}) // a reset counts as an end
    socket.on('close', () => { tcp.ended = true })
    return tcp
  }

  write (bytes) { this.#socket.write(bytes) }
  pause () { this.#socket.pause() }
  resume () { this.#socket.resume() }
  destroy () { this.#socket.destroy() }

  /** The status code of the HTTP answer to an upgrade of `path`. */
  async upgrade (path = '/deepstream') {
    this.write(UPGRADE(path))
    return this.status()
  }

  async status () {
    const end = await eventually('HTTP head', () => this.received.indexOf('\r\n\r\n') + 1)
    const status = Number(this.received.toString('latin1').split(' ', 2)[1])
    this.received = this.received.subarray(end + 3)
    return status
  }

  /** The code of the close frame, once the server has sent it. */
  closeCode () {
    return eventually('close frame', () => {
      for (const { opcode, payload } of this.#frames()) {
        if (opcode === CLOSE) return payload.length < 2 ? 1005 : payload.readUInt16BE(0)
      }
      if (this.ended) throw new Error('ended without a close frame')
      return undefined
    })
  }

  * #frames () {
    for (let at = 0, bytes = this.received; at + 2 <= bytes.length;) {
      const opcode = bytes[at] & 0x0f
      let length = bytes[at + 1] & 0x7f
      let head = 2
      if (length === 126) { length = at + 4 <= bytes.length ? bytes.readUInt16BE(at + 2) : Infinity; head = 4 }
      if (length === 127) { length = at + 10 <= bytes.length ? Number(bytes.readBigUInt64BE(at + 2)) : Infinity; head = 10 }
      if (at + head + length > bytes.length) return
      yield { opcode, payload: bytes.subarray(at + head, at + head + length) }
      at += head + length
    }
  }
}
