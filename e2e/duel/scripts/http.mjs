// The HTTP endpoint: every command, good and bad, and everything about requests.

const emit = (eventName, data) => ({ topic: 'event', action: 'emit', eventName, data })
const make = (rpcName, data) => ({ topic: 'rpc', action: 'make', rpcName, data })
const record = (action, recordName, fields) => ({ topic: 'record', action, recordName, ...fields })
const list = (action, listName, fields) => ({ topic: 'list', action, listName, ...fields })
const query = names => ({ topic: 'presence', action: 'query', names })

/** Each command in a request of its own. */
const each = async (t, commands, extra = {}) => {
  for (const command of commands) {
    const label = JSON.stringify(command) ?? 'undefined'
    await t.step(label.slice(0, 150), () => t.post('one', '/api', { ...extra, body: [command] }))
  }
}

export const scripts = {
  events: async t => {
    const [ann] = await t.clients('ann')
    await t.step('ann subscribes', () => ann.event.subscribe('http', ann.hears('http')))
    await each(t, [emit('http', { a: [1, null] }), emit('http'), emit('http', null), emit('http', 'text'), emit('nobody', 1),
      emit(''), emit(5), { topic: 'event', action: 'emit' }, { topic: 'event', action: 'subscribe', eventName: 'http' }, { ...emit('http', 1), extra: 1 }])
  },

  records: async t => {
    const [ann] = await t.clients('ann')
    await t.step('ann opens', () => ann.opens('h/r'))
    await each(t, [record('read', 'h/none'), record('head', 'h/none'), record('read', 'h/r'), record('head', 'h/r'),
      record('write', 'h/r', { data: { n: 1 } }), record('write', 'h/r', { path: 'p.q[1]', data: 'x' }), record('read', 'h/r'),
      record('write', 'h/r', { version: 3, data: { n: 2 } }), record('write', 'h/r', { version: 3, data: { n: 3 } }), record('head', 'h/r'),
      record('write', 'h/r', { version: -1, data: { n: 4 } }), record('write', 'h/r', { path: 'gone', data: null }), record('write', 'h/r', { path: '', data: { n: 5 } }),
      record('write', 'h/new', { data: [1, 2] }), record('read', 'h/new'), record('write', 'h/new2', { version: 1, data: {} }), record('head', 'h/new2'),
      record('notify', undefined, { recordNames: ['h/none'] }), record('delete', 'h/r'), record('delete', 'h/r'), record('read', 'h/r')])
  },

  'a version that is too high': async t => {
    await each(t, [record('write', 'h/gap', { data: { n: 1 } }), record('write', 'h/gap', { version: 9, data: { n: 9 } }), record('read', 'h/gap')])
  },

  'bad record commands': async t => {
    await each(t, [record('read', ''), record('read'), record('read', 5), record('write', 'h/bad'), record('write', 'h/bad', { data: 'text' }), record('write', 'h/bad', { data: null }),
      record('write', 'h/bad', { data: 5 }), record('write', 'h/bad', { version: 'x', data: {} }), record('write', 'h/bad', { version: 1.5, data: {} }), record('write', 'h/bad', { version: -2, data: {} }),
      record('write', 'h/bad', { path: 5, data: 1 }), record('write', 'h/bad', { config: {}, data: {} }), record('erase', 'h/bad'), record('subscribe', 'h/bad'), record('write', 'h/zero', { version: 0, data: { z: 0 } }),
      record('write', 'h/path', { path: 'a.b', data: true }), record('write', 'h/path', { path: 'a.b' }), record('read', 'h/path'), record('notify', 'h/bad'), record('notify', undefined, { recordNames: [5] }), record('notify', undefined, { recordNames: 'x' })])
  },

  lists: async t => {
    await each(t, [list('read', 'h/list'), list('write', 'h/list', { data: ['a', 'b'] }), list('read', 'h/list'), list('write', 'h/list', { data: [] }), list('write', 'h/list', { data: [1] }), list('write', 'h/list', { data: {} }),
      list('write', 'h/list', { version: 1, data: ['c'] }), list('delete', 'h/list'), list('read', 'h/list'), list('head', 'h/list'), list('write', '', { data: [] }), list('read'), list('write', 'h/list', { path: 'a', data: ['x'] })])
  },

  calls: async t => {
    const [ann] = await t.clients('ann')
    await t.step('ann provides', () => {
      ann.rpc.provide('echo', ann.hears('echo', (data, response) => response.send(data)))
      ann.rpc.provide('fails', (data, response) => response.error(data))
      ann.rpc.provide('rejects', (data, response) => response.reject())
      ann.rpc.provide('slow', (data, response) => response.accept())
      ann.rpc.provide('silent', (data, response) => { response.autoAccept = false })
    })
    await each(t, [make('echo', { a: 1 }), make('echo'), make('echo', null), make('echo', 'text'), make('fails', 'text'), make('fails', { code: 1 }), make('rejects'), make('nobody', 1), make('slow'), make('silent'), make(''), make(5),
      { topic: 'rpc', action: 'make' }, { topic: 'rpc', action: 'provide', rpcName: 'x' }, { ...make('echo'), extra: true }])
  },

  presence: async t => {
    await each(t, [query()])
    await t.clients('ann')
    await each(t, [query(), query([]), query(['ann', 'bob']), query('ann'), query([5]), { topic: 'presence', action: 'subscribe' }])
  },

  'several commands': async t => {
    const bodies = [
      [emit('x', 1), record('head', 'h/several'), query()],
      [record('write', 'h/s1', { data: { a: 1 } }), record('write', 'h/s2', { data: { b: 1 } })],
      [record('read', 'h/s1'), record('read', 'h/none')],
      [record('read', 'h/none'), make('nobody')],
      [emit('x'), { topic: 'nonsense' }],
      Array.from({ length: 50 }, (_, i) => emit('x', i))
    ]
    for (const [i, body] of bodies.entries()) await t.step(`body ${i}`, () => t.post('several', '/api', { body }))
  },

  'bad bodies': async t => {
    const bodies = ['', '{', 'null', '5', '"text"', '[]', '{}', '{"body":null}', '{"body":[]}', '{"body":{}}', '{"body":"x"}', '{"body":[null]}', '{"body":[5]}', '{"body":["x"]}', '{"body":[[]]}', '{"body":[{}]}',
      '{"body":[{"topic":"x","action":"y"}]}', '{"body":[{"topic":"event"}]}', '{"body":[{"action":"emit"}]}', '{"body":[{"topic":5,"action":6}]}', '{"token":5,"body":[{"topic":"presence","action":"query"}]}',
      '{"token":"","body":[{"topic":"presence","action":"query"}]}', '{"token":"x","body":[{"topic":"presence","action":"query"}]}', '{"authData":null,"body":[{"topic":"presence","action":"query"}]}',
      '{"authData":"x","body":[{"topic":"presence","action":"query"}]}', '{"authData":{},"body":[{"topic":"presence","action":"query"}]}', '{"other":1,"body":[{"topic":"presence","action":"query"}]}',
      '{"body":[{"topic":"event","action":"emit","eventName":"a","eventName":"b"}]}', '\ufeff{"body":[]}', '{"body":[{"topic":"EVENT","action":"emit","eventName":"a"}]}']
    for (const body of bodies) await t.step(body || 'nothing', () => t.post('bad', '/api', body))
  },

  requests: async t => {
    const body = { body: [query()] }
    for (const [name, value] of [['Content-Type', 'text/plain'], ['Content-Type', 'application/json; charset=utf-8'], ['Content-Type', 'Application/JSON'], ['Content-Type', '']]) {
      await t.step(`POST with ${name} ${value}`, () => t.post('post', '/api', body, { [name]: value }))
    }
    for (const path of ['/', '/api/', '/api?x=1', '/api/auth', '/api/nothing', '/other', '/deepstream']) await t.step(`POST ${path}`, () => t.post('post', path, body))
    for (const path of ['/', '/api', '/api/', '/health-check', '/health-check?x', '/other', '/api?x']) await t.step(`GET ${path}`, () => t.request('get', 'GET', path))
    for (const method of ['PUT', 'DELETE', 'PATCH', 'HEAD']) await t.step(method, () => t.request(method, method, '/api'))
    await t.step('OPTIONS', () => t.request('options', 'OPTIONS', '/api'))
    for (const headers of [{ 'Access-Control-Request-Method': 'POST' }, { 'Access-Control-Request-Method': 'PUT' }, { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' },
      { 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-other' }]) {
      await t.step(`OPTIONS ${JSON.stringify(headers)}`, () => t.request('options', 'OPTIONS', '/api', headers))
    }
    await t.step('auth', () => t.post('auth', '/api/auth', { username: 'ann' }))
    await t.step('auth without anything', () => t.post('auth', '/api/auth', {}))
  }
}
