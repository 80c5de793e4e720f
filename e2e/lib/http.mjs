// What the HTTP tests share: requests by fetch, requests by hand, and slots as the specification words them.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { within } from './wait.mjs'

/** POSTs `body` as JSON (a text as it is) and resolves with the answer; its body decoded if it is JSON. */
export async function post (server, path, body, headers = {}) {
  const answer = await within(`POST ${path}`, fetch(`http://${server.url}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
  }))
  return decoded(answer)
}

export const get = async (server, path, headers = {}, method = 'GET') =>
  decoded(await within(`${method} ${path}`, fetch(`http://${server.url}${path}`, { method, headers })))

async function decoded (answer) {
  const text = await answer.text()
  const json = answer.headers.get('content-type')?.startsWith('application/json') && text !== ''
  return { status: answer.status, headers: answer.headers, text, body: json ? JSON.parse(text) : undefined }
}

/** Carries out commands and resolves with result and slots. */
export async function commands (server, list, who = {}) {
  const answer = await post(server, '/api', { ...who, body: list })
  assert.equal(answer.status, 200, answer.text)
  assert.ok(answer.text.endsWith('\r\n\r\n'))
  assert.deepEqual(Object.keys(answer.body), ['result', 'body'])
  assert.equal(answer.body.body.length, list.length)
  return answer.body
}

/** Carries out one command and resolves with its slot. */
export async function command (server, one, who) {
  const { result, body: [slot] } = await commands(server, [one], who)
  assert.equal(result, slot.success ? 'SUCCESS' : 'FAILURE')
  return slot
}

export const emit = (eventName, data) => ({ topic: 'event', action: 'emit', eventName, data })
export const make = (rpcName, data) => ({ topic: 'rpc', action: 'make', rpcName, data })
export const record = (action, recordName, fields) => ({ topic: 'record', action, recordName, ...fields })
export const list = (action, listName, fields) => ({ topic: 'list', action, listName, ...fields })
export const query = names => ({ topic: 'presence', action: 'query', names })

/** A connection on which HTTP is spoken by hand. */
export class Http {
  #socket
  #text = ''
  #wake = () => {}

  static async open (server) {
    const http = new Http()
    const socket = http.#socket = connect(server.port, '127.0.0.1')
    socket.setEncoding('latin1').on('data', text => { http.#text += text; http.#wake() })
    socket.on('error', () => {}) // 'close' follows
    http.closed = new Promise(resolve => socket.on('close', () => { http.over = true; http.#wake(); resolve() }))
    await within('connection', once(socket, 'connect'))
    return http
  }

  write (text) { this.#socket.write(text) }
  end () { this.#socket.end() }
  destroy () { this.#socket.destroy() }

  /** The next answer: status and body. */
  async answer () {
    const head = /^HTTP\/1\.1 (\d+)[^]*?\r\n\r\n/
    await this.#until(() => head.test(this.#text))
    const [all, status] = head.exec(this.#text)
    const length = all.length + Number(/content-length: (\d+)/i.exec(all)?.[1] ?? 0)
    await this.#until(() => this.#text.length >= length)
    const body = this.#text.slice(all.length, length)
    this.#text = this.#text.slice(length)
    return { status: Number(status), head: all, body }
  }

  /** What is left once the server has closed the connection. */
  async rest () {
    await within('close', this.closed)
    return this.#text
  }

  async #until (done) {
    while (!done()) {
      assert.ok(!this.over, `closed after ${JSON.stringify(this.#text)}`)
      await within('an answer', new Promise(resolve => { this.#wake = resolve }))
    }
  }
}
