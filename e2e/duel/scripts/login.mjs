// Logging in against a table of users with hashed passwords.

export const arena = 'guarded'

const tries = async (t, ...attempts) => {
  const one = t.client('one')
  for (const [i, attempt] of attempts.entries()) {
    const before = i
    await t.step(`attempt ${before}: ${JSON.stringify(attempt)}`, () => one.tells('login', one.ds.login(attempt)),
      () => t.heard(one, 'login') || t.heard(one, 'error') || t.heard(one, 'state TOO'))
  }
  return one
}

export const scripts = {
  'with everything': async t => {
    await t.clients('ada', 'bob', 'eve')
  },
  'a wrong password, then the right one': async t => {
    const one = await tries(t, { username: 'ada', password: 'wrong' }, { username: 'ada', password: 'ada-secret' })
    await t.step('who is there', () => one.tells('some', one.presence.getAll(['ada'])))
  },
  'too many attempts': async t => {
    await tries(t, { username: 'ada', password: 'a' }, { username: 'nobody', password: 'b' }, { username: 'ada', password: 'c' }, { username: 'ada', password: 'ada-secret' })
  },
  'incomplete data': async t => {
    await tries(t, {}, { username: 'ada' })
  },
  'data of the wrong type': async t => {
    await tries(t, { username: 1, password: 2 }, { username: ['ada'], password: 'ada-secret' })
  },
  'an empty password': async t => {
    await tries(t, { username: 'ada', password: '' }, { username: '', password: '' })
  },
  'callbacks': async t => {
    const one = t.client('one')
    await t.step('wrong', () => one.ds.login({ username: 'ada', password: 'x' }, one.hears('login')), () => t.heard(one, 'login'))
    await t.step('right', () => one.ds.login({ username: 'bob', password: 'bob-secret' }, one.hears('login')), () => t.heard(one, 'login'))
  },
  'used without a login': async t => {
    const one = t.client('one')
    await t.step('waits', () => {}, () => t.heard(one, 'state AWAITING_AUTHENTICATION') || one.ds.getConnectionState() === 'AWAITING_AUTHENTICATION')
    await t.step('subscribes and emits', () => { one.event.subscribe('e', one.hears('e')); one.event.emit('e', 1); one.event.listen('e', () => {}) })
    await t.step('logs in', () => one.tells('login', one.ds.login({ username: 'eve', password: 'eve-secret' })), () => one.open)
    await t.step('emits', () => one.event.emit('e', 2))
  },
  'a reconnection': async t => {
    const [ada] = await t.clients('ada')
    await t.step('is cut off', () => ada.cut(), () => ada.open)
    await t.step('goes on', () => ada.tells('some', ada.presence.getAll(['ada', 'bob'])))
  }
}
