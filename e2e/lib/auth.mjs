// What the authentication tests share: hashes as the official command line makes them, tokens and the keys behind them,
// and HTTP services that a test scripts.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, pbkdf2Sync, randomBytes, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { after } from 'node:test'
import { BINARY } from './server.mjs'
import { within } from './wait.mjs'

/** What the official command line stores of a password: base64(key) followed by the salt it was made with, as text. */
export function officialHash (password, { hash, iterations, keyLength }) {
  const salt = randomBytes(16).toString('base64')
  return pbkdf2Sync(password, salt, iterations, keyLength, hash).toString('base64') + salt
}

/** What `deepstream-fast hash` stores. */
export function ownHash (password, ...args) {
  const run = spawnSync(BINARY, ['hash', ...args], { input: password + '\n', encoding: 'utf8' })
  assert.equal(run.status, 0, run.stderr)
  return /^Password hash: (\S+)\n$/.exec(run.stdout)[1]
}

/** Resolves with the reason an official client is given for a refused login. */
export const refusal = (client, credentials) =>
  within('refusal', client.login(credentials).then(() => assert.fail('must be refused'), ({ reason }) => reason))

/** Resolves with the clientData an official client is given. */
export const accepted = (client, credentials) => within('login', client.login(credentials))

/** The reason the official client gives when the server gives none. */
export const NO_REASON = 'INVALID_AUTHENTICATION_DETAILS'

/** An HTTP service on loopback; `answer` gets the request with its body and returns [status, body, headers]. */
export async function service (answer) {
  const requests = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', text => { body += text }).on('end', async () => {
      const asked = { method: request.method, url: request.url, headers: request.headers, body: body && JSON.parse(body) }
      requests.push(asked)
      const [status, content, headers] = await answer(asked)
      const text = typeof content === 'string' ? content : JSON.stringify(content ?? '')
      response.writeHead(status, { 'content-type': typeof content === 'object' ? 'application/json' : 'text/plain', ...headers })
      response.end(content === undefined ? '' : text)
    })
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  after(() => { server.close(); server.closeAllConnections() })
  return { url: `http://127.0.0.1:${server.address().port}`, requests }
}

/** A signing key with a name; `jwk` is its public half. */
export function signingKey (kid) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { kid, privateKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' } }
}

/** A token with these claims. It expires in an hour, unless the claims say when. */
export function token (key, claims) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url')
  const text = part({ alg: 'ES256', kid: key.kid, typ: 'JWT' }) + '.' + part({ exp: Math.floor(Date.now() / 1000) + 3600, ...claims })
  return text + '.' + sign('sha256', Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')
}
