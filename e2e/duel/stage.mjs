// One script on one server: official clients, and everything a program that uses them can observe.
//
// A script is a list of steps. A step lasts until nothing travels any more: every client has had a PING answered, and
// no frame moved for a while after it, several times in a row, more often while promises are open. So whatever a step
// causes is recorded under that step, on both servers, and what follows does not depend on how fast they are. (A server
// with several threads may need longer on a busy machine: see "patience" in duel.mjs.) What timers cause is waited for by
// name (`until`).

import { setTimeout as pause } from 'node:timers/promises'
import v7 from '@deepstream/client'
import socket7 from '@deepstream/client/dist/src/connection/socket-factory.js'
import builder from '@deepstream/protobuf/dist/src/message-builder.js'
import parser from '@deepstream/protobuf/dist/src/message-parser.js'
import all from '@deepstream/protobuf/dist/types/all.js'
import messages from '@deepstream/protobuf/dist/types/messages.js'
import v4 from 'client-v4'
import socket4 from 'client-v4/dist/connection/socket-factory.js'
import { eventually, within } from '../lib/wait.mjs'
import { show, showAnswer } from './show.mjs'

const { TOPIC, CONNECTION_ACTION } = all
const { ACTIONS } = messages
const QUIET = 6 // ms without a frame after all PINGs were answered
const CALM = { settled: 2, open: 6 } // rounds of that which end a step: without and with open promises
const ROUNDS_MAX = 150 // rounds until a step that never gets quiet is given up
const PING = builder.getMessage({ topic: TOPIC.CONNECTION, action: CONNECTION_ACTION.PING }, false)

const libraries = {
  7: { create: (url, options) => new v7.DeepstreamClient(url, options), socket: socket7.socketFactory },
  4: { create: v4, socket: socket4.socketFactory }
}

/** Ends a script whose server has died: what its clients hear from then on says nothing about the server. */
class Death extends Error {}

/** One official client and what its program hears. */
export class Actor {
  #stage
  #socket
  #pongs = []
  #kept = [] // frames of a client that is deaf
  #deaf = false
  frames = 0 // that travelled, PINGs excepted

  constructor (stage, name, version, options) {
    this.#stage = stage
    this.name = name
    const { create, socket } = libraries[version]
    this.ds = create(stage.server.url, {
      nativeTimerRegistry: true, subscriptionInterval: 0, recordDiscardTimeout: 30, reconnectIntervalIncrement: 20, maxReconnectInterval: 100,
      heartbeatInterval: 600_000, offlineBufferTimeout: 1_000, subscriptionTimeout: 600_000, recordDeleteTimeout: 600_000, ...options,
      socketFactory: (...args) => this.#watched(socket(...args))
    })
    this.ds.on('error', (detail, event, topic) => this.note('error', topic, event, show(detail)))
    this.ds.on('connectionStateChanged', state => this.note('state', state))
    for (const event of ['reauthenticationFailure', 'clientDataChanged', 'MAX_RECONNECTION_ATTEMPTS_REACHED']) {
      this.ds.on(event, (...args) => this.note(event, ...args.map(show)))
    }
    this.ds.services.logger.warn = ({ topic, action, name }, event, meta) =>
      this.note('warning', TOPIC[topic], ACTIONS[topic]?.[action] ?? '', name ?? '', event ?? '', typeof meta === 'object' ? '' : show(meta))
  }

  get event () { return this.ds.event }
  get record () { return this.ds.record }
  get rpc () { return this.ds.rpc }
  get presence () { return this.ds.presence }
  get open () { return this.ds.getConnectionState() === 'OPEN' && this.#socket.readyState === 1 }

  note (...words) { this.#write('', words) }

  /** Of different tracks the order does not count. */
  noteOf (track, ...words) { this.#write(track, words) }

  #write (track, words) { this.#stage.note(this.name, words.filter(word => word !== '').join(' '), track) }

  /** A callback that records its arguments, and calls `then` with them. */
  hears (label, then = () => {}, track = '') {
    return (...args) => {
      this.#write(track, [label, ...args.map(show)])
      return then(...args)
    }
  }

  /** Records how `promise` ends, without waiting for it. What is still open when the script ends is recorded there. */
  tells (label, promise) {
    this.#stage.pending.set(promise, [this, label])
    Promise.resolve(promise).then(
      value => this.#write(label, [label, 'resolves', show(value)]),
      error => this.#write(label, [label, 'rejects', show(error)])
    ).finally(() => this.#stage.pending.delete(promise))
  }

  /** Opens a record with all its callbacks recorded. */
  opens (name) { return this.#watch(name, this.ds.record.getRecord(name)) }

  #watch (name, record) {
    for (const event of ['delete', 'discard', 'error', 'hasProviderChanged']) record.on(event, this.hears(`${name} ${event}`, undefined, name))
    record.subscribe(this.hears(`${name} is`, undefined, name))
    record.whenReady().then(() => this.#write(name, [name, 'ready', show(record.get()), `v${record.version}`]))
    return record
  }

  /** Records what a record looks like to the program. */
  looks (record) {
    this.#write(record.name, [record.name, 'looks', show(record.get()), `v${record.version}`, record.hasProvider ? 'provided' : ''])
  }

  /** A deaf client gets no frame but PONGs; once it hears again, all that were kept, in their order. */
  set deaf (deaf) {
    this.#deaf = deaf
    if (!deaf) this.#kept.splice(0).forEach(give => give())
  }

  /** Requests the client would still wait for an acknowledgement or answer of; it warns of each after two seconds. */
  unanswered () {
    for (const name of this.ds.services.timeoutRegistry.register.keys()) this.#write(name, ['unanswered:', name])
  }

  /** Breaks the connection without a close frame. */
  cut () { this.#socket.terminate() }

  close () { this.ds.close() }

  /** Resolves when the server has answered a PING: it has read all that was sent before. */
  ping () {
    return new Promise(resolve => {
      if (!this.open) return resolve()
      this.#pongs.push(resolve)
      this.#socket.pass(PING)
    })
  }

  #watched (socket) {
    this.#socket = socket
    socket.pass = socket.send.bind(socket)
    socket.send = data => {
      this.frames++
      this.#stage.frame(this.name, 'sends', parser.parse(data)[0])
      socket.pass(data)
    }
    const { onmessage, onclose } = socket
    socket.onmessage = raw => {
      const [message] = parser.parse(raw.data)
      if (message?.topic === TOPIC.CONNECTION && message.action === CONNECTION_ACTION.PONG) return this.#pongs.shift()?.()
      this.frames++
      this.#stage.frame(this.name, 'gets', message)
      const give = () => {
        const { trace } = console // the client's state machines complain there
        console.trace = text => this.note('the client complains:', text)
        try {
          onmessage(raw)
        } catch (error) {
          this.note('the client throws', show(error)) // a program would not survive that
        } finally {
          console.trace = trace
        }
      }
      if (this.#deaf) this.#kept.push(give)
      else give()
    }
    socket.onclose = () => {
      this.#pongs.splice(0).forEach(resolve => resolve())
      this.frames++
      onclose()
    }
    return socket
  }
}

export class Stage {
  #step = -1
  #over = false
  actors = []
  pending = new Map()
  steps = [] // { title, heard: Map(name → lines) }

  /** With more `patience` every step is given that much more time to show effects. */
  constructor (server, { version = 7, patience = 1 } = {}) {
    this.server = server
    this.version = version
    this.patience = patience
  }

  /** Lines of one track come in one order; those of different tracks (records, promises) have none between them. */
  note (who, line, track = '') {
    if (this.#over) return
    const { heard } = this.steps[this.#step]
    if (!heard.has(who)) heard.set(who, [])
    heard.get(who).push({ line, track })
  }

  /** Frames are for readers of --trace only: what they cause is what is compared. */
  frame (who, way, { topic, action, ...fields }) {
    this.steps[this.#step]?.wire.push(`${who} ${way} ${TOPIC[topic]} ${ACTIONS[topic]?.[action] ?? action} ${JSON.stringify(fields)}`)
  }

  #begin (title) { this.#step = this.steps.push({ title, heard: new Map(), wire: [] }) - 1 }

  /** Clients that are logged in, under names that are theirs in the record of observations too. */
  async clients (...names) {
    const all = names.map(name => this.client(name))
    await this.step(`${names.join(', ')} log in`, () => { all.forEach(one => one.tells('login', one.ds.login({ username: one.name, password: `${one.name}-secret` }))) },
      () => all.every(one => one.open))
    return all
  }

  /** A client that is not logged in. */
  client (name, { version = this.version, ...options } = {}) {
    if (this.#step < 0) this.#begin('start')
    const actor = new Actor(this, name, version, options)
    this.actors.push(actor)
    return actor
  }

  /** Does something and waits until its effects are there; `until` says what to wait for beyond quiescence. */
  async step (title, act, until) {
    this.#begin(title)
    try {
      await act()
    } catch (error) {
      this.note('script', `throws ${show(error)}`)
    }
    if (until) await eventually(title, until, 4_000).catch(() => this.note('script', 'waits in vain'))
    await this.quiet()
  }

  /** Plays a script to its end, or to the death of its server: its last step has then nothing but that. */
  async play (script) {
    try {
      await script(this)
    } catch (error) {
      if (!(error instanceof Death)) throw error
      this.steps.splice(this.#step + 1)
      this.steps[this.#step].heard.clear()
      this.note('server', 'dies')
      this.#over = true
    }
    await this.#finish()
  }

  /** Whether somebody has heard a line that begins with `text` in this step. */
  heard (who, text) {
    return this.steps[this.#step].heard.get(who.name)?.some(({ line }) => line.startsWith(text)) === true
  }

  async quiet () {
    const frames = () => this.actors.reduce((sum, actor) => sum + actor.frames, 0)
    for (let rounds = 0, calm = 0; calm < (this.pending.size > 0 ? CALM.open : CALM.settled); rounds++) {
      if (rounds === ROUNDS_MAX) return this.note('script', 'never gets quiet')
      const before = frames()
      const answered = within('PONG', Promise.all(this.actors.map(actor => actor.ping())), 2_500).then(() => true, () => false)
      if (!this.server.running) throw new Death()
      if (!await answered) return this.note('script', 'waits in vain for a PONG')
      await pause(QUIET * this.patience)
      calm = frames() === before ? calm + 1 : 0
    }
  }

  /** POSTs and records the answer. */
  async post (label, path, body, headers = {}) {
    const answer = await fetch(`http://${this.server.url}${path}`, {
      method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: typeof body === 'string' ? body : JSON.stringify(body)
    })
    await this.#answered(label, answer)
  }

  async request (label, method, path, headers = {}) {
    await this.#answered(label, await fetch(`http://${this.server.url}${path}`, { method, headers }))
  }

  async #answered (label, answer) {
    const text = (await answer.text()).trimEnd()
    this.note('http', `${label} ${showAnswer(answer.status, answer.headers.get('content-type') ?? '', text)}`)
  }

  /** Ends the script: records what never settled, closes everybody and waits until the server has noticed. */
  async #finish () {
    if (!this.server.running) return this.actors.forEach(actor => actor.close())
    this.#begin('end')
    for (const [actor, label] of this.pending.values()) actor.note(label, 'is still open')
    this.actors.filter(actor => actor.open).forEach(actor => actor.unanswered())
    const end = this.steps[this.#step].heard
    this.#over = true // how clients close is nobody's business
    this.actors.forEach(actor => actor.close())
    if (!await eventually('everybody gone', () => this.#nobody(), 3_000).catch(() => false)) {
      end.set('server', [{ line: 'is broken', track: '' }])
      await this.server.stop()
    }
  }

  async #nobody () {
    const command = { authData: { username: 'ada', password: 'ada-secret' }, body: [{ topic: 'presence', action: 'query' }] }
    const answer = await fetch(`http://${this.server.url}/api`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(command),
      signal: AbortSignal.timeout(1_000)
    })
    return (await answer.json()).body[0].users?.length === 0
  }
}
