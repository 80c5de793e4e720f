// Presence: who is online, and who hears of it. Lists of users come in any order: they are sorted here.

export const old = ['who is there', 'who comes and goes']

const sorted = promise => promise.then(users => Array.isArray(users) ? [...users].sort() : users)

export const scripts = {
  'who is there': async t => {
    const [ann] = await t.clients('ann')
    await t.step('alone', () => ann.tells('all', sorted(ann.presence.getAll())))
    const [bob] = await t.clients('bob')
    await t.step('two', () => { ann.tells('all', sorted(ann.presence.getAll())); bob.tells('all', sorted(bob.presence.getAll())) })
    await t.step('by name', () => ann.tells('some', ann.presence.getAll(['bob', 'ann', 'nobody', '', 'constructor', '__proto__'])))
    await t.step('by no name', () => ann.tells('none', ann.presence.getAll([])))
    await t.step('with callbacks', () => { ann.presence.getAll(ann.hears('all')); ann.presence.getAll(['bob'], ann.hears('some')) })
    await t.step('twice at once', () => { for (let i = 0; i < 2; i++) ann.tells(`all ${i}`, sorted(ann.presence.getAll())) })
    const anonymous = t.client('anonymous')
    await t.step('somebody without a name', () => anonymous.tells('login', anonymous.ds.login()), () => anonymous.open)
    await t.step('three', () => { ann.tells('all', sorted(ann.presence.getAll())); anonymous.tells('all', sorted(anonymous.presence.getAll())) })
    await t.step('bob leaves', () => bob.close())
    await t.step('who is left', () => ann.tells('all', sorted(ann.presence.getAll())))
  },

  'who comes and goes': async t => {
    const [ann] = await t.clients('ann')
    const everybody = ann.hears('everybody')
    const only = ann.hears('bob')
    await t.step('ann watches', () => { ann.presence.subscribe(everybody); ann.presence.subscribe('bob', only) })
    let [bob] = await t.clients('bob')
    const second = t.client('bob again')
    await t.step('bob comes twice', () => second.tells('login', second.ds.login({ username: 'bob' })), () => second.open)
    await t.step('cid comes', async () => { await t.client('cid').ds.login({ username: 'cid' }) })
    await t.step('bob goes once', () => bob.close())
    await t.step('bob goes', () => second.close())
    await t.step('ann stops to watch everybody', () => ann.presence.unsubscribe(everybody))
    bob = (await t.clients('bob'))[0]
    await t.step('ann stops to watch bob', () => ann.presence.unsubscribe('bob', only))
    await t.step('bob goes again', () => bob.close())
    await t.step('ann stops what she does not', () => ann.presence.unsubscribe('bob', only))
    await t.step('ann stops everything', () => ann.presence.unsubscribe())
  },

  'several callbacks': async t => {
    const [ann] = await t.clients('ann')
    await t.step('two for everybody, two for bob, one for herself', () => {
      ann.presence.subscribe(ann.hears('first'))
      ann.presence.subscribe(ann.hears('second'))
      ann.presence.subscribe('bob', ann.hears('bob, first'))
      ann.presence.subscribe('bob', ann.hears('bob, second'))
      ann.presence.subscribe('ann', ann.hears('ann'))
    })
    const [bob] = await t.clients('bob')
    const twin = t.client('twin')
    await t.step('ann comes again', () => twin.tells('login', twin.ds.login({ username: 'ann' })), () => twin.open)
    await t.step('bob watches', () => { bob.presence.subscribe('ann', bob.hears('ann')); bob.presence.subscribe(bob.hears('everybody')) })
    await t.step('ann goes', () => ann.close())
    await t.step('twin goes', () => twin.close())
    await t.step('bob asks', () => bob.tells('all', bob.presence.getAll()))
  },

  'special names': async t => {
    const [ann] = await t.clients('ann')
    await t.step('ann watches', () => {
      ann.presence.subscribe(ann.hears('everybody'))
      for (const name of ['OPEN', 'open', 'é 🚀', 'toString']) ann.presence.subscribe(name, ann.hears(`watches ${name}`))
    })
    for (const name of ['OPEN', 'open', 'é 🚀', 'toString', '__proto__']) {
      const one = t.client(name)
      await t.step(`${name} comes`, () => one.tells('login', one.ds.login({ username: name })), () => one.open)
      await t.step('who is there', () => ann.tells('all', sorted(ann.presence.getAll())))
      await t.step(`${name} goes`, () => one.close())
    }
  },

  'a connection that breaks': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('ann watches', () => ann.presence.subscribe(ann.hears('everybody')))
    await t.step('bob is cut off for good', () => { bob.ds.pause() })
    await t.step('who is there', () => ann.tells('all', ann.presence.getAll()))
    await t.step('bob is back', () => bob.tells('resume', bob.ds.resume()), () => bob.open)
    await t.step('who is there', () => ann.tells('all', ann.presence.getAll()))
  }
}
