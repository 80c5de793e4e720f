// The HTTP endpoint with users and rules.

export const arena = 'guarded'

const command = fields => ({ topic: 'record', ...fields })
const as = name => ({ authData: { username: name, password: `${name}-secret` } })

export const scripts = {
  logins: async t => {
    for (const body of [as('ada').authData, as('bob').authData, as('eve').authData, { username: 'ada', password: 'x' }, { username: 'nobody', password: 'x' }, {}, [], { username: 'ada' }, { token: 'x' }]) {
      await t.step(`auth ${JSON.stringify(body)}`, () => t.post('auth', '/api/auth', body))
    }
    for (const who of [as('ada'), { authData: { username: 'ada', password: 'x' } }, {}, { token: 'x' }, { authData: {} }]) {
      await t.step(`query as ${JSON.stringify(who)}`, () => t.post('query', '/api', { ...who, body: [{ topic: 'presence', action: 'query' }] }))
    }
  },

  rules: async t => {
    const [ada] = await t.clients('ada')
    await t.step('ada provides', () => { ada.rpc.provide('sum/x', (data, response) => response.send(data.a + data.b)); ada.event.subscribe('typed/h', ada.hears('typed')) })
    const commands = [
      command({ action: 'read', recordName: 'closed/h' }), command({ action: 'head', recordName: 'closed/h' }), command({ action: 'write', recordName: 'closed/h', data: {} }),
      command({ action: 'delete', recordName: 'closed/h' }), command({ action: 'notify', recordNames: ['closed/h'] }), command({ action: 'notify', recordNames: ['free/h'] }),
      command({ action: 'write', recordName: 'own/bob/h', data: { a: 1 } }), command({ action: 'read', recordName: 'own/bob/h' }), command({ action: 'write', recordName: 'own/ada/h', data: {} }),
      command({ action: 'write', recordName: 'score/h', data: { points: 5 } }), command({ action: 'write', recordName: 'score/h', data: { points: 500 } }), command({ action: 'write', recordName: 'own/bob/h', path: 'p', data: 1 }),
      { topic: 'event', action: 'emit', eventName: 'closed/h', data: 1 }, { topic: 'event', action: 'emit', eventName: 'typed/h', data: { price: 1 } }, { topic: 'event', action: 'emit', eventName: 'typed/h', data: { price: -1 } },
      { topic: 'rpc', action: 'make', rpcName: 'closed/h' }, { topic: 'rpc', action: 'make', rpcName: 'sum/x', data: { a: 1, b: 2 } }, { topic: 'rpc', action: 'make', rpcName: 'sum/x', data: { a: 1 } },
      { topic: 'presence', action: 'query' }, { topic: 'presence', action: 'query', names: ['ada'] }
    ]
    for (const one of commands) await t.step(`bob: ${JSON.stringify(one)}`, () => t.post('bob', '/api', { ...as('bob'), body: [one] }))
    await t.step('eve: presence of ada', () => t.post('eve', '/api', { ...as('eve'), body: [{ topic: 'presence', action: 'query', names: ['ada'] }] }))
  }
}
