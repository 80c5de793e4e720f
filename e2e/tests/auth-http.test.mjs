import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accepted, NO_REASON, refusal, service } from '../lib/auth.mjs'
import { auth } from '../lib/raw.mjs'
import { serve } from '../lib/server.mjs'

// The webhook does what the credentials ask it to: { answer: [[status, content], …] }, one per request.
const left = new Map()
const hook = await service(({ body: { authData } }) => {
  const answers = left.get(authData.case) ?? authData.answer
  left.set(authData.case, answers.slice(1))
  return answers[0]
})
const server = await serve({
  auth: [{
    type: 'http',
    options: {
      endpointUrl: `${hook.url}/login?key=endpoint-secret`, permittedStatusCodes: [200, 201], requestTimeout: 2000,
      retryStatusCodes: [503], retryAttempts: 2, retryInterval: 10, promoteToHeader: ['authorization']
    }
  }]
})
let cases = 0
const attempt = (...answer) => ({ case: ++cases, answer })

test('the webhook says who somebody is', async () => {
  assert.deepEqual(await accepted(server.connect(), attempt([200, { id: 'alice', clientData: { color: 'red' }, serverData: { role: 'topsecret' } }])), { color: 'red' })
  const raw = await server.raw('P2')
  const login = content => auth('REQUEST', { data: JSON.stringify(attempt([200, content])) })
  await raw.ask(login({ id: 'bob', serverData: { role: 'topsecret' }, token: 'topsecret' }), auth('AUTH_SUCCESSFUL'))
  await (await server.raw('P2')).ask(login('carol'), auth('AUTH_SUCCESSFUL'))
})

test('it is told about the connection', async () => {
  const client = server.connect({ socketOptions: { headers: { cookie: 'session=1', referer: 'https://a.example/' } } })
  await accepted(client, { ...attempt([201, 'dave']), authorization: 'Bearer x' })
  const { method, url, headers, body } = hook.requests.at(-1)
  assert.equal(`${method} ${url}`, 'POST /login?key=endpoint-secret')
  assert.equal(headers['content-type'], 'application/json; charset=utf-8')
  assert.equal(headers.authorization, 'Bearer x')
  assert.equal(body.connectionData.remoteAddress, '127.0.0.1')
  assert.equal(body.connectionData.headers.cookie, 'session=1')
  assert.equal(body.connectionData.headers.host, server.url)
  assert.equal(body.connectionData.referer, 'https://a.example/')
  assert.equal(body.authData.authorization, 'Bearer x')
})

test('it may refuse and say why', async () => {
  for (const [answer, reason] of [
    [[401, undefined], NO_REASON],
    [[403, 'banned'], { error: 'banned' }],
    [[403, { until: 'tomorrow', serverData: 'topsecret' }], { until: 'tomorrow' }],
    [[200, { isValid: false, id: 'eve', clientData: 'no', serverData: 'topsecret' }], 'no'],
    [[200, ['eve']], NO_REASON]
  ]) assert.deepEqual(await refusal(server.connect(), attempt(answer)), reason)
})

test('it is asked again while it is busy, but not for ever', async () => {
  const before = hook.requests.length
  assert.equal(await accepted(server.connect(), attempt([503, 'busy'], [503, 'busy'], [200, 'frank'])), null)
  assert.equal(hook.requests.length, before + 3)
  assert.deepEqual(await refusal(server.connect(), attempt([503, 'busy'], [503, 'busy'], [503, 'busy'], [200, 'frank'])), { error: 'AUTH_RETRY_ATTEMPTS_EXCEEDED' })
  assert.equal(hook.requests.length, before + 6)
})

test('redirects are followed without the credentials', async () => {
  const other = await service(() => [200, 'grace'])
  assert.equal(await accepted(server.connect(), { ...attempt([307, undefined, { location: `${other.url}/there` }]), authorization: 'Bearer x' }), null)
  const [{ method, url, headers, body }] = other.requests
  assert.equal(`${method} ${url}`, 'GET /there')
  assert.equal(headers.authorization, undefined)
  assert.equal(body, '')
})

test('many at once are all answered', async () => {
  const clients = Array.from({ length: 30 }, () => server.connect())
  const answers = await Promise.all(clients.map((client, i) => accepted(client, attempt([200, { id: `u${i}`, clientData: { i } }]))))
  assert.deepEqual(answers.map(({ i }) => i), clients.map((_, i) => i))
})

test('no secret is in the log', () => {
  assert.doesNotMatch(server.log, /topsecret|endpoint-secret|Bearer/)
  assert.match(server.log, /AUTH_ERROR/)
})
