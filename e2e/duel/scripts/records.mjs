// Records: one writer at a time, so that every step has one right result. See conflicts.mjs for the others.

export const old = ['open, set, get, versions', 'paths', 'acknowledged writes', 'subscriptions to paths', 'setData and setDataWithAck', 'snapshot, has, head']

/** Two clients that have the record `name` open. */
async function both (t, name) {
  const [ann, bob] = await t.clients('ann', 'bob')
  let records
  await t.step('both open it', () => { records = [ann.opens(name), bob.opens(name)] })
  const look = title => t.step(title, () => { ann.looks(records[0]); bob.looks(records[1]) })
  return { ann, bob, a: records[0], b: records[1], look }
}

/** Sets each [path, value] in turn and looks at both sides, and at the server's, after each. */
async function sets (t, name, start, changes) {
  const { ann, a, look } = await both(t, name)
  const [cid] = await t.clients('cid')
  await t.step('start', () => ann.tells('start', a.setWithAck(start)))
  for (const [path, value] of changes) {
    await t.step(`set ${path} ${JSON.stringify(value)}`, () => value === undefined ? a.erase(path) : a.set(path, value))
    await look(`looks after ${path}`)
    await t.step(`snapshot after ${path}`, () => cid.tells('snapshot', cid.record.snapshot(name)))
  }
}

export const scripts = {
  'open, set, get, versions': async t => {
    const { ann, bob, a, b, look } = await both(t, 'r/basic')
    await t.step('set all', () => a.set({ name: 'x', list: [1, 2] }))
    await t.step('the same again', () => a.set({ name: 'x', list: [1, 2] }))
    await t.step('set a path', () => b.set('name', 'y'))
    await look('versions')
    await t.step('with callbacks', () => { a.set({ n: 1 }, ann.hears('written')); a.set('n', 2, ann.hears('written')) })
    await t.step('an array', () => a.set([1, { a: 1 }, null]))
    await t.step('empty', () => b.set({}))
    await look('end')
    await t.step('bob discards', () => b.discard(), () => t.heard(bob, 'r/basic discard'))
    await t.step('ann writes', () => a.set('after', true))
    await t.step('bob opens it again', () => bob.opens('r/basic'))
    await t.step('what the client refuses', () => {
      for (const [i, call] of [() => a.set('text'), () => a.set(null), () => a.set(), () => a.set('', 1), () => ann.record.getRecord(''), () => a.erase('')].entries()) {
        try { call() } catch (error) { ann.note(`call ${i}`, error.message) }
      }
    })
    await look('the end')
  },

  paths: async t => {
    await sets(t, 'r/paths', {}, [
      ['a', 1], ['a.b', 2], ['a.b.c', 3], ['list[0]', 'x'], ['list[3]', 'y'], ['list[1].deep[2].x', true], ['m[1][2]', 1], ['o.0', 'zero'],
      ['list.1', 'one'], [' a . b ', 'trimmed'], ['a..c', 'dots'], ['unicode.ключ', '🔑'], ['list[0].now', 'object'], ['nothing', null], ['falsy', 0], ['falsy', false], ['falsy', '']
    ])
  },

  erasing: async t => {
    await sets(t, 'r/erase', { a: { b: 1, c: [1, 2, 3] }, d: 'x' }, [
      ['a.b', undefined], ['a.c[1]', undefined], ['d', undefined], ['never', undefined], ['x.y.z', undefined], ['a', undefined]
    ])
  },

  'odd paths': async t => {
    await sets(t, 'r/odd', { list: [1, 2, 3], o: {} }, [
      ['list[-1]', 'n'], ['list[1.5]', 'f'], ['list[x]', 'nan'], ['o[1]', 'number'], ['list.foo', 'lost'], ['list[ 2 ]', 'blanks'], ['list[0x1]', 'hex'],
      ['[0]', 'root'], ['o["quoted"]', 'q'], ['toString', 'own'], ['o.valueOf', 1]
    ])
  },

  'a root that is an array': async t => {
    await sets(t, 'r/array', ['a', 'b', 'c'], [['1', 'B'], ['5', 'F'], ['0.x', 1], ['2', undefined]])
  },

  'key order': async t => {
    await sets(t, 'r/order', { z: 1, y: 2, x: 3 }, [['y', undefined], ['y', 2], ['b', { z: 1, a: 2 }], ['10', 'ten'], ['2', 'two'], ['z', 9]])
  },

  'a path through null': async t => {
    const { ann, bob, a, look } = await both(t, 'r/null')
    await t.step('a null', () => a.set({ z: null }))
    await t.step('set below it', () => a.set('z.y', 1))
    await look('looks')
    await t.step('and again', () => { ann.note('open', ann.open); bob.note('open', bob.open) })
  },

  'acknowledged writes': async t => {
    const { ann, bob, a, b, look } = await both(t, 'r/ack')
    await t.step('setWithAck', () => ann.tells('ack', a.setWithAck({ n: 1 })))
    await t.step('setWithAck of a path', () => bob.tells('ack', b.setWithAck('deep.list[1]', 'x')))
    await t.step('unchanged', () => bob.tells('ack', b.setWithAck('deep.list[1]', 'x')))
    await t.step('eraseWithAck', () => ann.tells('ack', a.eraseWithAck('deep')))
    await t.step('with a callback', () => a.setWithAck('n', 2, ann.hears('called back')))
    await t.step('ten at once', () => { for (let i = 0; i < 10; i++) ann.tells(`ack ${i}`, a.setWithAck('n', i * 10)) })
    await look('end')
  },

  'subscriptions to paths': async t => {
    const { ann, bob, a, b } = await both(t, 'r/subscribe')
    await t.step('a start', () => a.set({ user: { name: 'x', tags: ['a'] }, n: 0 }))
    await t.step('subscribe', () => {
      b.subscribe('user.name', bob.hears('name'))
      b.subscribe('user', bob.hears('user'))
      b.subscribe('user.tags[0]', bob.hears('tag'), true)
      b.subscribe('n', bob.hears('n'), true)
      b.subscribe('missing.path', bob.hears('missing'), true)
      b.subscribe(bob.hears('everything'), true)
    })
    await t.step('change the name', () => a.set('user.name', 'y'))
    await t.step('replace the user', () => a.set('user', { name: 'y', tags: ['b', 'c'] }))
    await t.step('replace everything', () => a.set({ n: 1, missing: { path: 'there' } }))
    await t.step('unsubscribe', () => { b.unsubscribe('n'); b.unsubscribe('user.name') })
    await t.step('change again', () => a.set('n', 2))
    await t.step('own change', () => b.set('missing.path', 'mine'))
    await t.step('who hears what', () => ann.looks(a))
  },

  'setData and setDataWithAck': async t => {
    const { ann, a, look } = await both(t, 'r/upsert')
    const [cid] = await t.clients('cid')
    await t.step('open elsewhere: whole', () => cid.record.setData('r/upsert', { n: 1 }))
    await t.step('path', () => cid.record.setData('r/upsert', 'deep.list[2]', 'x'))
    await t.step('with ack', () => cid.tells('ack', cid.record.setDataWithAck('r/upsert', { n: 2 })))
    await t.step('path with ack', () => cid.tells('ack', cid.record.setDataWithAck('r/upsert', 'p', [1])))
    await t.step('with a callback', () => cid.record.setData('r/upsert', 'p', [2], cid.hears('called back')))
    await t.step('erases', () => cid.record.setData('r/upsert', 'p', undefined))
    await t.step('erases with ack', () => cid.tells('ack', cid.record.setDataWithAck('r/upsert', 'n', undefined)))
    await look('looks')
    await t.step('creates whole', () => cid.tells('ack', cid.record.setDataWithAck('r/upsert/new', { a: 1 })))
    await t.step('creates by path', () => cid.tells('ack', cid.record.setDataWithAck('r/upsert/path', 'a.b[1]', 1)))
    await t.step('creates without ack', () => cid.record.setData('r/upsert/quiet', [1, 2]))
    await t.step('snapshots', () => ['new', 'path', 'quiet'].forEach(name => ann.tells(name, ann.record.snapshot(`r/upsert/${name}`))))
    await t.step('versions', () => ['new', 'path', 'quiet'].forEach(name => ann.tells(name, ann.record.head(`r/upsert/${name}`))))
    await t.step('the same data again', () => cid.tells('ack', cid.record.setDataWithAck('r/upsert/new', { a: 1 })))
    await t.step('version', () => ann.tells('head', ann.record.head('r/upsert/new')))
    await t.step('on an open record', () => ann.tells('ack', ann.record.setDataWithAck('r/upsert', 'own', true)))
    await look('end')
    await t.step('the writer of an open record goes on', () => a.set('n', 7))
    await look('the end')
    await t.step('what the client refuses', () => {
      for (const [i, call] of [() => cid.record.setData('x', 'text'), () => cid.record.setData('', {}), () => cid.record.setData('x', null)].entries()) {
        try { call() } catch (error) { cid.note(`call ${i}`, error.message) }
      }
    })
  },

  'an erase of what is not there': async t => {
    const [ann] = await t.clients('ann')
    await t.step('with ack', () => ann.tells('ack', ann.record.setDataWithAck('r/never-there', 'a', undefined)))
    await t.step('without', () => ann.record.setData('r/never-there', 'a', undefined))
    await t.step('has', () => ann.tells('has', ann.record.has('r/never-there')))
  },

  'snapshot, has, head': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('of nothing', () => {
      bob.tells('snapshot', bob.record.snapshot('r/nothing'))
      bob.tells('has', bob.record.has('r/nothing'))
      bob.tells('head', bob.record.head('r/nothing'))
    })
    await t.step('with callbacks', () => {
      bob.record.snapshot('r/nothing', bob.hears('snapshot'))
      bob.record.has('r/nothing', bob.hears('has'))
      bob.record.head('r/nothing', bob.hears('head'))
    })
    let record
    await t.step('ann creates it', () => { record = ann.opens('r/snapshot') })
    await t.step('fresh', () => {
      bob.tells('snapshot', bob.record.snapshot('r/snapshot'))
      bob.tells('has', bob.record.has('r/snapshot'))
      bob.tells('head', bob.record.head('r/snapshot'))
    })
    await t.step('written', () => record.set({ a: [1, { b: null }] }))
    await t.step('several at once', () => {
      for (let i = 0; i < 3; i++) bob.tells(`snapshot ${i}`, bob.record.snapshot('r/snapshot'))
      for (let i = 0; i < 3; i++) bob.tells(`head ${i}`, bob.record.head('r/snapshot'))
    })
    await t.step('of an open record', () => {
      ann.tells('snapshot', ann.record.snapshot('r/snapshot'))
      ann.tells('has', ann.record.has('r/snapshot'))
      ann.tells('head', ann.record.head('r/snapshot'))
    })
  },

  'deleted while others hold it': async t => {
    const { ann, bob, a, b } = await both(t, 'r/delete')
    await t.step('written', () => a.set({ n: 1 }))
    await t.step('ann deletes', () => ann.tells('delete', a.delete()))
    await t.step('uses after that', () => { b.set('n', 2); bob.looks(b); a.set('n', 3) })
    await t.step('has', () => bob.tells('has', bob.record.has('r/delete')))
    let fresh
    await t.step('bob opens it again', () => { fresh = bob.opens('r/delete') })
    await t.step('and writes', () => fresh.set({ again: true }))
    await t.step('ann opens it again', () => { fresh = ann.opens('r/delete') })
    await t.step('and writes', () => fresh.set('by', 'ann'))
    await t.step('with a callback', () => fresh.delete(ann.hears('deleted')))
    await t.step('delete a record nobody wrote', async () => {
      const empty = ann.record.getRecord('r/delete/empty')
      await empty.whenReady()
      ann.tells('delete', empty.delete())
    })
  },

  'deleted, then created with setData': async t => {
    const { ann, bob, a } = await both(t, 'r/reborn')
    await t.step('written', () => a.set({ n: 1 }))
    await t.step('deleted', () => ann.tells('delete', a.delete()))
    await t.step('created', () => ann.tells('ack', ann.record.setDataWithAck('r/reborn', { n: 2 })))
    await t.step('snapshot', () => bob.tells('snapshot', bob.record.snapshot('r/reborn')))
    await t.step('version', () => bob.tells('head', bob.record.head('r/reborn')))
  },

  'discarded and taken up again': async t => {
    const { ann, bob, a, b } = await both(t, 'r/discard')
    await t.step('bob discards', () => b.discard(), () => t.heard(bob, 'r/discard discard'))
    await t.step('ann writes', () => a.set({ n: 1 }))
    await t.step('bob uses what he discarded', () => { b.set('n', 2); bob.looks(b) })
    let again
    await t.step('bob takes it up twice', () => { again = [bob.opens('r/discard'), bob.opens('r/discard')] })
    await t.step('ann writes again', () => a.set({ n: 3 }))
    await t.step('one of them is discarded', () => again[0].discard())
    await t.step('ann writes once more', () => a.set({ n: 4 }))
    await t.step('who looks how', () => { ann.looks(a); bob.looks(again[1]) })
    await t.step('discarded and taken back at once', () => { again[1].discard(); again.push(bob.opens('r/discard')) })
    await t.step('ann writes a last time', () => a.set({ n: 5 }))
  },

  'read only': async t => {
    const [ann] = await t.clients('ann')
    const bob = t.client('bob', { recordReadOnlyMode: true, recordPrefixWriteWhitelist: ['r/ro/may'] })
    await t.step('bob logs in', () => bob.tells('login', bob.ds.login({})), () => bob.open)
    let records
    await t.step('bob opens', () => { records = [bob.opens('r/ro/missing'), bob.opens('r/ro/may/write')] })
    await t.step('bob writes', () => records.forEach(record => record.set({ by: 'bob' })))
    await t.step('ann has', () => { ann.tells('missing', ann.record.has('r/ro/missing')); ann.tells('may', ann.record.snapshot('r/ro/may/write')) })
    await t.step('ann creates it', () => ann.tells('ack', ann.record.setDataWithAck('r/ro/missing', { by: 'ann' })))
    await t.step('and writes it', () => ann.tells('ack', ann.record.setDataWithAck('r/ro/missing', 'n', 1)))
    await t.step('bob looks', () => records.forEach(record => bob.looks(record)))
  },

  'many writes without waiting': async t => {
    const { ann, bob, a, b } = await both(t, 'r/many')
    await t.step('fifty', () => { for (let i = 0; i < 50; i++) a.set(`k${i % 7}`, i) })
    await t.step('looks', () => { ann.looks(a); bob.looks(b) })
    await t.step('then the other', () => { for (let i = 0; i < 20; i++) b.set({ i }) })
    await t.step('looks', () => { ann.looks(a); bob.looks(b) })
  },

  'a write before the record is ready': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('ann', () => {
      const record = ann.opens('r/early')
      record.set('a.b', 1)
      record.set({ c: 1 })
      record.set('d', 2, ann.hears('written'))
    })
    await t.step('bob', () => bob.opens('r/early'))
  },

  'both open it at once': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('at once', () => { ann.opens('r/at-once'); bob.opens('r/at-once') })
    await t.step('many names', () => { for (let i = 0; i < 40; i++) ann.record.getRecord(`r/bulk/${i}`).whenReady().then(record => ann.looks(record)) })
  },

  'odd names and large values': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    for (const name of ['__proto__', 'constructor', 'é 日本 🚀', ' ', '%_EVERYONE_%', 'n'.repeat(300), 'toString', 'a/b/../c']) {
      await t.step(`name ${name.slice(0, 20)}`, () => ann.tells('ack', ann.record.setDataWithAck(name, { v: name.length })))
      await t.step(`snapshot ${name.slice(0, 20)}`, () => bob.tells('snapshot', bob.record.snapshot(name)))
    }
    await t.step('large', () => ann.tells('ack', ann.record.setDataWithAck('r/large', { text: 'ä'.repeat(200_000), n: 0.1 + 0.2, e: 1e-7, big: 2 ** 60 })))
    await t.step('read', () => bob.tells('snapshot', bob.record.snapshot('r/large').then(({ text, ...rest }) => [text.length, rest])))
  },

  'keys that are special in JavaScript': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    for (const [path, value] of [['constructor', 1], ['a.prototype', 1], ['__proto__', { x: 1 }], ['b.__proto__.polluted', 1], ['length', 3], ['list.length', 1]]) {
      await t.step(`set ${path}`, () => ann.tells('ack', ann.record.setDataWithAck(`r/special/${path}`, path, value)))
      await t.step(`read ${path}`, () => bob.tells('snapshot', bob.record.snapshot(`r/special/${path}`)))
    }
    await t.step('whole', () => ann.tells('ack', ann.record.setDataWithAck('r/special', JSON.parse('{"__proto__":{"a":1},"constructor":{"b":2},"c":3}'))))
    await t.step('read', () => bob.tells('snapshot', bob.record.snapshot('r/special').then(data => JSON.stringify(data))))
  },

  notify: async t => {
    const { ann, bob, a } = await both(t, 'r/notify')
    await t.step('written', () => a.set({ n: 1 }))
    await t.step('of names nobody has', () => ann.tells('notify', ann.record.notify(['r/notify/none', 'r/notify/other'])))
    await t.step('of one that is open', () => bob.tells('notify', bob.record.notify(['r/notify'])))
    await t.step('is it there', () => bob.tells('has', bob.record.has('r/notify')))
    await t.step('with a callback', () => bob.record.notify(['r/notify/none'], bob.hears('notified')))
  },

  'notify of no names': async t => {
    const [ann] = await t.clients('ann')
    await t.step('notify', () => ann.tells('notify', ann.record.notify([])))
  }
}
