// A TCP relay in front of the server: cuts the network of one client while the server lives on.

import { connect, createServer } from 'node:net'

export class Proxy {
  #listener
  #sockets = new Set()
  #target

  static async to (port) {
    const proxy = new Proxy()
    proxy.#target = port
    await proxy.restore(0)
    return proxy
  }

  get port () { return this.#listener.address()?.port ?? this.last }
  get url () { return `127.0.0.1:${this.port}` }

  /** Ends all connections and refuses new ones. */
  async cut () {
    this.last = this.port
    const closed = new Promise(resolve => this.#listener.close(resolve))
    this.#sockets.forEach(socket => socket.destroy())
    await closed
  }

  /** Listens again, on the port clients know. */
  restore (port = this.last) {
    this.#listener = createServer(client => {
      const server = connect(this.#target, '127.0.0.1')
      for (const [socket, other] of [[client, server], [server, client]]) {
        this.#sockets.add(socket)
        socket.on('error', () => {}) // 'close' follows
        socket.on('close', () => { this.#sockets.delete(socket); other.destroy() })
        socket.pipe(other)
      }
    })
    return new Promise(resolve => this.#listener.listen(port, '127.0.0.1', resolve))
  }
}
