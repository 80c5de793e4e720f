// Events: who hears what, and what values survive the way.

const VALUES = [
  undefined, null, true, false, 0, -0.5, 1e21, 123456789012345680000, '', 'text', 'Grüße 日本 🚀 \u2028 \u0000', [], [1, [2, null]], {},
  { b: 1, a: { 2: 'x', 1: [{}] } }, { 'key with "quotes"': '\\' }, 'x'.repeat(2_000)
]

export const old = ['values of every type', 'subscribe, emit, unsubscribe', 'several subscribers and the emitter itself']

export const scripts = {
  'values of every type': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob subscribes', () => bob.event.subscribe('values', bob.hears('values')))
    await t.step('ann emits them', () => VALUES.forEach(value => ann.event.emit('values', value)))
    await t.step('ann emits what JSON changes', () => [NaN, Infinity, new Date(0), { u: undefined }, [undefined]].forEach(value => ann.event.emit('values', value)))
  },

  'subscribe, emit, unsubscribe': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    const first = bob.hears('first')
    const second = bob.hears('second')
    await t.step('bob subscribes twice', () => { bob.event.subscribe('e', first); bob.event.subscribe('e', second) })
    await t.step('emit', () => ann.event.emit('e', 1))
    await t.step('one callback goes', () => bob.event.unsubscribe('e', first))
    await t.step('emit again', () => ann.event.emit('e', 2))
    await t.step('the other goes', () => bob.event.unsubscribe('e', second))
    await t.step('emit to nobody', () => ann.event.emit('e', 3))
    await t.step('unsubscribe what is not subscribed', () => bob.event.unsubscribe('e', second))
    await t.step('unsubscribe another name', () => bob.event.unsubscribe('never', first))
    await t.step('subscribe again', () => bob.event.subscribe('e', first))
    await t.step('emit once more', () => ann.event.emit('e', 4))
    await t.step('unsubscribe without a callback', () => bob.event.unsubscribe('e'))
    await t.step('emit to nobody again', () => ann.event.emit('e', 5))
  },

  'several subscribers and the emitter itself': async t => {
    const [ann, bob, cid] = await t.clients('ann', 'bob', 'cid')
    await t.step('all subscribe', () => [ann, bob, cid].forEach(one => one.event.subscribe('all', one.hears('all'))))
    await t.step('each emits', async () => {
      ann.event.emit('all', 'from ann')
      await t.quiet()
      bob.event.emit('all', 'from bob')
      await t.quiet()
      cid.event.emit('all', { from: 'cid' })
    })
    await t.step('bob leaves', () => bob.close())
    await t.step('ann emits', () => ann.event.emit('all', 'rest'))
  },

  'many names in one window': async t => {
    const [ann] = await t.clients('ann')
    const bob = t.client('bob', { subscriptionInterval: 20 })
    await t.step('bob logs in', () => bob.tells('login', bob.ds.login({ username: 'bob' })), () => bob.open)
    const seen = bob.hears('seen')
    await t.step('subscribes to three, changes his mind about one', async () => {
      for (const name of ['m1', 'm2', 'm3']) bob.event.subscribe(name, seen)
      bob.event.unsubscribe('m2', seen)
    }, () => new Promise(resolve => setTimeout(() => resolve(true), 60)))
    await t.step('emits', () => ['m1', 'm2', 'm3'].forEach(name => ann.event.emit(name, name)))
    await t.step('unsubscribes and subscribes', () => {
      bob.event.unsubscribe('m1', seen)
      bob.event.subscribe('m2', seen)
      bob.event.subscribe('m1', seen)
      bob.event.unsubscribe('m3', seen)
    }, () => new Promise(resolve => setTimeout(() => resolve(true), 60)))
    await t.step('emits again', () => ['m1', 'm2', 'm3'].forEach(name => ann.event.emit(name, name)))
  },

  'odd names': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    const names = ['case', 'Case', 'case ', 'é', 'e\u0301', '日本/🚀', '*', '.*', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'n'.repeat(500), ' ']
    await t.step('subscribe', () => names.forEach(name => bob.event.subscribe(name, bob.hears(`hears ${name}`))))
    await t.step('emit', () => names.forEach((name, i) => ann.event.emit(name, i)))
    await t.step('arguments the client refuses', () => {
      for (const [i, call] of [() => ann.event.emit(), () => ann.event.emit(''), () => ann.event.subscribe('', () => {}), () => ann.event.subscribe('x'), () => ann.event.unsubscribe('')].entries()) {
        try { call() } catch (error) { ann.note(`call ${i}`, error.message) }
      }
    })
  },

  'a sender that emits and closes': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob subscribes', () => bob.event.subscribe('last', bob.hears('last')))
    await t.step('ann emits a hundred and closes', () => {
      for (let i = 0; i < 100; i++) ann.event.emit('last', i)
      ann.close()
    })
  },

  'two sessions of one user': async t => {
    const [ann] = await t.clients('ann')
    const twin = t.client('twin')
    await t.step('twin logs in as ann', () => twin.tells('login', twin.ds.login({ username: 'ann' })), () => twin.open)
    await t.step('both subscribe', () => [ann, twin].forEach(one => one.event.subscribe('mine', one.hears('mine'))))
    await t.step('ann emits', () => ann.event.emit('mine', 1))
    await t.step('ann closes', () => ann.close())
    await t.step('twin emits', () => twin.event.emit('mine', 2))
  }
}
