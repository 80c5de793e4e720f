// Rules of a permissions file, for users that are known by a table: see rules.mjs.

export const arena = 'guarded'

export const scripts = {
  events: async t => {
    const [ada, bob, eve] = await t.clients('ada', 'bob', 'eve')
    const all = [ada, bob, eve]
    await t.step('subscribe', () => all.forEach(one => {
      for (const name of ['free', 'closed/x', 'admin/x', 'typed/x', 'to/bob', 'level/x']) one.event.subscribe(name, one.hears(name, undefined, name))
    }))
    await t.step('emit freely', () => bob.event.emit('free', 1))
    await t.step('emit to closed', () => bob.event.emit('closed/x', 1))
    await t.step('emit to admin', async () => { ada.event.emit('admin/x', 1); await t.quiet(); bob.event.emit('admin/x', 2); await t.quiet(); eve.event.emit('admin/x', 3) })
    for (const data of [{ price: 5 }, { price: 0 }, { price: '5' }, {}, 5, 'text', null, undefined, []]) {
      await t.step(`typed ${JSON.stringify(data)}`, () => bob.event.emit('typed/x', data))
    }
    await t.step('to bob', () => eve.event.emit('to/bob', 'psst'))
    await t.step('level', async () => { ada.event.emit('level/x', 'a'); await t.quiet(); bob.event.emit('level/x', 'b') })
    await t.step('listen', () => { bob.event.listen('closed/.*', () => {}); bob.event.listen('admin/.*', () => {}); ada.event.listen('admin/.*', (name, response) => { ada.noteOf(name, 'asked', name); response.accept() }) })
    await t.step('unsubscribe what was denied', () => bob.event.unsubscribe('closed/x'))
  },

  'several names in one message, some denied': async t => {
    const [ada] = await t.clients('ada')
    const bob = t.client('bob', { subscriptionInterval: 20 })
    await t.step('bob logs in', () => bob.tells('login', bob.ds.login({ username: 'bob', password: 'bob-secret' })), () => bob.open)
    const wait = () => new Promise(resolve => setTimeout(() => resolve(true), 60))
    await t.step('allowed, denied, allowed', () => ['one', 'closed/two', 'three'].forEach(name => bob.event.subscribe(name, bob.hears(name, undefined, name))), wait)
    await t.step('ada emits', () => ['one', 'three'].forEach(name => ada.event.emit(name, name)))
    await t.step('providing', () => ['p1', 'closed/p2', 'p3'].forEach(name => bob.rpc.provide(name, (data, response) => response.send(name))), wait)
    await t.step('ada calls', () => ['p1', 'p3'].forEach(name => ada.tells(name, ada.rpc.make(name))))
    await t.step('records', () => ['r1', 'closed/r2', 'r3'].forEach(name => bob.opens(`perm/${name}`.replace('perm/closed', 'closed'))), wait)
  },

  'events with a cross reference': async t => {
    const [ada, bob] = await t.clients('ada', 'bob')
    await t.step('bob subscribes', () => bob.event.subscribe('stock/x', bob.hears('stock')))
    await t.step('without a limit', () => ada.event.emit('stock/x', { amount: 1 }))
    await t.step('a limit', () => ada.tells('ack', ada.record.setDataWithAck('stock-limit/x', { max: 5 })))
    for (const amount of [4, 5, 6]) await t.step(`amount ${amount}`, () => ada.event.emit('stock/x', { amount }))
    await t.step('a higher limit', () => ada.tells('ack', ada.record.setDataWithAck('stock-limit/x', { max: 10 })))
    await t.step('amount 6 again', () => ada.event.emit('stock/x', { amount: 6 }))
  },

  'records: open, write, delete': async t => {
    const [ada, bob] = await t.clients('ada', 'bob')
    for (const name of ['closed/x', 'own/bob/x', 'own/ada/x', 'readonly/x', 'create-only/x', 'admin/x', 'free/x']) {
      let record
      await t.step(`bob opens ${name}`, () => { record = bob.opens(name) })
      await t.step(`bob writes ${name}`, () => record.set({ by: 'bob' }))
      await t.step(`bob writes ${name} with ack`, () => bob.tells('ack', record.setWithAck('n', 1)))
      await t.step(`bob reads ${name}`, () => { bob.tells('has', bob.record.has(name)) })
    }
    for (const name of ['closed/x', 'own/bob/x', 'own/ada/x', 'readonly/x', 'admin/x', 'nothing/x']) {
      await t.step(`ada reads ${name}`, () => { ada.tells('snapshot', ada.record.snapshot(name)); ada.tells('head', ada.record.head(name)) })
    }
    for (const name of ['own/bob/x', 'free/x']) {
      await t.step(`ada deletes ${name}`, async () => { const record = ada.opens(name); await t.quiet(); ada.tells('delete', record.delete()) })
    }
  },

  'records: upserts': async t => {
    const [ada, bob] = await t.clients('ada', 'bob')
    for (const name of ['closed/u', 'own/bob/u', 'own/ada/u', 'readonly/u', 'create-only/u', 'admin/u']) {
      for (const one of [ada, bob]) await t.step(`${one.name} sets ${name}`, () => one.tells('ack', one.record.setDataWithAck(name, { by: one.name })))
      await t.step(`bob sets ${name} without ack`, () => bob.record.setData(name, { again: true }))
      await t.step(`bob sets a path of ${name}`, () => bob.tells('ack', bob.record.setDataWithAck(name, 'p', 1)))
    }
    await t.step('ada reads', () => ['own/bob/u', 'own/ada/u', 'admin/u'].forEach(name => ada.tells(name, ada.record.snapshot(name))))
  },

  'records: rules about data': async t => {
    const [bob] = await t.clients('bob')
    for (const data of [{ points: 5 }, { points: 500 }, {}, { points: 0 }]) {
      await t.step(`score ${JSON.stringify(data)}`, () => bob.tells('ack', bob.record.setDataWithAck('score/x', data)))
    }
    let record
    await t.step('open', () => { record = bob.opens('score/x') })
    for (const points of [50, 100]) await t.step(`path ${points}`, () => bob.tells('ack', record.setWithAck('points', points)))
    await t.step('path 101', () => bob.tells('ack', record.setWithAck('points', 101)))
    await t.step('delete', () => bob.tells('delete', record.delete()))
  },

  'records: rules about text': async t => {
    const [bob] = await t.clients('bob')
    for (const text of ['short', 'much too long', 5, null]) {
      await t.step(`text ${text}`, () => bob.tells('ack', bob.record.setDataWithAck('text/x', { text })))
      await t.step(`path ${text}`, () => bob.tells('snapshot', bob.record.snapshot('text/x')))
    }
  },

  'records: oldData and now': async t => {
    const [bob] = await t.clients('bob')
    for (const n of [1, 3, 2, 4]) await t.step(`rising ${n}`, () => bob.tells('ack', bob.record.setDataWithAck('rising/x', { n })))
    await t.step('rising is', () => bob.tells('snapshot', bob.record.snapshot('rising/x')))
    await t.step('past', () => bob.tells('ack', bob.record.setDataWithAck('aged/x', { time: 1 })))
    await t.step('future', () => bob.tells('ack', bob.record.setDataWithAck('aged/x', { time: 9e12 })))
  },

  'records: owners': async t => {
    const [ada, bob] = await t.clients('ada', 'bob')
    await t.step('bob takes it', () => bob.tells('ack', bob.record.setDataWithAck('item/x', { owner: 'bob' })))
    let a, b
    await t.step('both open it', () => { a = ada.opens('item/x'); b = bob.opens('item/x') })
    await t.step('ada cannot take it', () => ada.tells('ack', ada.record.setDataWithAck('item/x', { owner: 'ada' })))
    await t.step('bob changes it', () => bob.tells('ack', b.setWithAck('size', 2)))
    await t.step('ada cannot change it', () => ada.tells('ack', a.setWithAck('size', 3)))
    await t.step('ada cannot delete it', () => ada.tells('delete', a.delete()))
    await t.step('bob deletes it', () => bob.tells('delete', b.delete()))
  },

  'records: what was seen': async t => {
    const [ada, bob] = await t.clients('ada', 'bob')
    await t.step('open', () => ada.tells('ack', ada.record.setDataWithAck('seen/open', { open: true })))
    await t.step('shut', () => ada.tells('ack', ada.record.setDataWithAck('seen/shut', { open: false })))
    for (const name of ['seen/open', 'seen/shut', 'seen/none']) await t.step(`bob reads ${name}`, () => bob.tells('snapshot', bob.record.snapshot(name)))
    await t.step('bob opens', () => { bob.opens('seen/open'); bob.opens('seen/shut') })
    await t.step('versions', () => ['seen/open', 'seen/shut'].forEach(name => ada.tells(name, ada.record.head(name))))
  },

  'records: cross references': async t => {
    const [ada, bob] = await t.clients('ada', 'bob')
    await t.step('a team', () => ada.tells('ack', ada.record.setDataWithAck('team/red', { members: ['bob'] })))
    await t.step('notes', () => ada.tells('ack', ada.record.setDataWithAck('member/red', { text: 'x' })))
    await t.step('read', () => { bob.tells('bob', bob.record.snapshot('member/red')); ada.tells('ada', ada.record.snapshot('member/red')) })
    await t.step('no such team', () => bob.tells('snapshot', bob.record.snapshot('member/blue')))
    await t.step('bob leaves', () => ada.tells('ack', ada.record.setDataWithAck('team/red', { members: [] })))
    await t.step('read again', () => bob.tells('bob', bob.record.snapshot('member/red')))
  },

  'records: listen and notify': async t => {
    const [ada, bob] = await t.clients('ada', 'bob')
    await t.step('listen', () => [ada, bob].forEach(one => {
      one.record.listen('admin/.*', (name, response) => { one.noteOf(name, 'asked', name); response.reject() })
      one.record.listen('closed/.*', () => {})
    }))
    await t.step('notify', () => { ada.tells('admin', ada.record.notify(['admin/n'])) })
    await t.step('notify denied', () => { bob.tells('admin', bob.record.notify(['admin/n'])) })
  },

  calls: async t => {
    const [ada, bob, eve] = await t.clients('ada', 'bob', 'eve')
    const who = one => (data, response, requestor) => {
      one.note('asked', JSON.stringify(data), JSON.stringify(requestor))
      response.send(data)
    }
    await t.step('ada provides', () => ['ask/x', 'sum/x', 'paid/x', 'open'].forEach(name => ada.rpc.provide(name, who(ada))))
    await t.step('bob may not', () => { bob.rpc.provide('ask/x', who(bob)); bob.rpc.provide('closed/x', who(bob)) })
    await t.step('ask', () => bob.tells('ask', bob.rpc.make('ask/x', 1)))
    await t.step('eve asks', () => eve.tells('ask', eve.rpc.make('open', 1)))
    await t.step('closed', () => bob.tells('closed', bob.rpc.make('closed/x', 1)))
    for (const data of [{ a: 1, b: 2 }, { a: 1 }, {}, undefined, null, 'text']) await t.step(`sum ${JSON.stringify(data)}`, () => bob.tells('sum', bob.rpc.make('sum/x', data)))
    await t.step('paid', () => bob.tells('paid', bob.rpc.make('paid/x', 1)))
    await t.step('credit', () => bob.tells('ack', bob.record.setDataWithAck('credit/bob', { amount: 1 })))
    await t.step('paid now', () => bob.tells('paid', bob.rpc.make('paid/x', 1)))
    await t.step('no credit', () => bob.tells('ack', bob.record.setDataWithAck('credit/bob', { amount: 0 })))
    await t.step('paid no more', () => bob.tells('paid', bob.rpc.make('paid/x', 1)))
  },

  'a user without data': async t => {
    const [eve] = await t.clients('eve')
    await t.step('emits', () => eve.event.emit('admin/x', 1))
    await t.step('subscribes', () => eve.event.subscribe('level/x', eve.hears('level')))
    await t.step('reads', () => eve.tells('snapshot', eve.record.snapshot('admin/x')))
    await t.step('provides', () => eve.rpc.provide('ask/x', () => {}))
  },

  presence: async t => {
    const [bob, eve] = await t.clients('bob', 'eve')
    await t.step('both watch ada', () => [bob, eve].forEach(one => one.presence.subscribe('ada', one.hears('ada'))))
    await t.step('ask for one', () => [bob, eve].forEach(one => one.tells('one', one.presence.getAll(['ada']))))
    await t.step('ask for two', () => [bob, eve].forEach(one => one.tells('two', one.presence.getAll(['bob', 'ada']))))
    await t.step('ask for all', () => [bob, eve].forEach(one => one.tells('all', one.presence.getAll().then(users => [...users].sort()))))
    await t.clients('ada')
  }
}
