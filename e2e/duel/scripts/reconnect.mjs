// A connection that breaks, and what the client and the server make of it when it is back.

const back = one => () => one.open

export const scripts = {
  'events, calls and presence': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob is busy', () => {
      bob.event.subscribe('e', bob.hears('e'))
      bob.rpc.provide('p', bob.hears('p', (data, response) => response.send(`re: ${data}`)))
      bob.presence.subscribe(bob.hears('everybody'))
      bob.presence.subscribe('ann', bob.hears('ann'))
    })
    await t.step('bob is cut off', () => bob.cut(), back(bob))
    await t.step('ann emits and calls', () => { ann.event.emit('e', 1); ann.tells('call', ann.rpc.make('p', 1)) })
    await t.step('ann is cut off', () => ann.cut(), back(ann))
    await t.step('ann emits and calls again', () => { ann.event.emit('e', 2); ann.tells('call', ann.rpc.make('p', 2)) })
  },

  'what is asked for while offline': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let record
    await t.step('bob listens', () => { bob.event.subscribe('off', bob.hears('off')); bob.rpc.provide('off', (data, response) => response.send(data)) })
    await t.step('ann has a record', () => { record = ann.opens('re/offline') })
    await t.step('ann pauses', () => ann.ds.pause())
    await t.step('ann goes on', () => {
      ann.event.emit('off', 1)
      ann.tells('call', ann.rpc.make('off', 2))
      ann.tells('all', ann.presence.getAll(['bob']))
      ann.tells('snapshot', ann.record.snapshot('re/other'))
      ann.tells('has', ann.record.has('re/other'))
      ann.event.subscribe('late', ann.hears('late'))
      ann.tells('notify', ann.record.notify(['x']))
      ann.tells('ack', record.setWithAck('n', 1))
    })
    await t.step('ann is back', () => ann.tells('resume', ann.ds.resume()), back(ann))
    await t.step('bob emits', () => bob.event.emit('late', 'yes'))
    await t.step('ann looks', () => ann.looks(record))
  },

  'a record that did not change': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let a, b
    await t.step('both open it', () => { a = ann.opens('re/same'); b = bob.opens('re/same') })
    await t.step('written', () => a.set({ n: 1 }))
    await t.step('bob is cut off', () => bob.cut(), back(bob))
    await t.step('ann writes', () => a.set('n', 2))
    await t.step('bob writes', () => bob.tells('ack', b.setWithAck('m', 1)))
    await t.step('they look', () => { ann.looks(a); bob.looks(b) })
  },

  'a record that changed meanwhile': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let a, b
    await t.step('both open it', () => { a = ann.opens('re/changed'); b = bob.opens('re/changed') })
    await t.step('written', () => a.set({ n: 1 }))
    await t.step('bob pauses', () => bob.ds.pause())
    await t.step('ann writes', () => { a.set('n', 2); a.set('m', 3) })
    await t.step('bob is back', () => bob.tells('resume', bob.ds.resume()), back(bob))
    await t.step('bob looks', () => bob.looks(b))
    await t.step('ann writes again', () => a.set('n', 4))
    await t.step('bob writes', () => b.set('n', 5))
    await t.step('they look', () => { ann.looks(a); bob.looks(b) })
  },

  'a record that was deleted meanwhile': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let a, b
    await t.step('both open it', () => { a = ann.opens('re/deleted'); b = bob.opens('re/deleted') })
    await t.step('written', () => a.set({ n: 1 }))
    await t.step('bob pauses', () => bob.ds.pause())
    await t.step('ann deletes', () => ann.tells('delete', a.delete()))
    await t.step('bob is back', () => bob.tells('resume', bob.ds.resume()), back(bob))
    await t.step('bob looks', () => bob.looks(b))
    await t.step('is it there', () => ann.tells('has', ann.record.has('re/deleted')))
  },

  'records written while offline': async t => {
    for (const [label, strategy] of [['remote', undefined], ['local', (local, lv, remote, rv, done) => done(null, local)]]) {
      const [ann] = await t.clients(`ann of ${label}`)
      const bob = t.client(`bob of ${label}`, { offlineEnabled: false, ...(strategy && { mergeStrategy: strategy }) })
      await t.step('bob logs in', () => bob.tells('login', bob.ds.login({})), () => bob.open)
      let a, b
      await t.step('both open it', () => { a = ann.opens(`re/written/${label}`); b = bob.opens(`re/written/${label}`) })
      await t.step('written', () => a.set({ n: 1 }))
      await t.step('bob pauses', () => bob.ds.pause())
      await t.step('bob writes', () => b.set('n', 'offline'))
      await t.step('ann writes', () => a.set('m', 'online'))
      await t.step('bob is back', () => bob.tells('resume', bob.ds.resume()), back(bob))
      await t.step('they look', () => { ann.looks(a); bob.looks(b) })
      await t.step('ann writes again', () => a.set('o', 1))
      await t.step('bob writes again', () => b.set('p', 1))
      await t.step('they look', () => { ann.looks(a); bob.looks(b) })
    }
  },

  'a provider is cut off': async t => {
    const [pro, ann] = await t.clients('pro', 'ann')
    await t.step('pro listens', () => pro.record.listen('re/pro/.*', (name, response) => {
      pro.note('asked for', name)
      response.onStop(pro.hears('stops'))
      response.accept()
    }))
    await t.step('ann enters', () => ann.opens('re/pro/a'))
    await t.step('pro is cut off', () => pro.cut(), () => t.heard(pro, 'asked'))
    await t.step('ann is cut off', () => ann.cut(), () => t.heard(ann, 'state OPEN') && ann.open)
  },

  'many subscriptions at once': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob subscribes', () => {
      for (let i = 0; i < 30; i++) bob.event.subscribe(`many/${i}`, bob.hears(`many/${i}`))
      for (let i = 0; i < 30; i++) bob.opens(`re/many/${i}`)
    })
    await t.step('bob is cut off', () => bob.cut(), back(bob))
    await t.step('ann emits and writes', () => {
      for (let i = 0; i < 30; i++) ann.event.emit(`many/${i}`, i)
      for (let i = 0; i < 30; i++) ann.record.setData(`re/many/${i}`, { i })
    })
  }
}
