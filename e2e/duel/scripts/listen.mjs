// Listening: who is asked to provide what, in which order, and what subscribers are told.

const accept = (actor, label) => (name, response) => {
  actor.noteOf(name, label, 'is asked for', name)
  response.onStop(actor.hears(`${label} stops`, undefined, name))
  response.accept()
}
const reject = (actor, label) => (name, response) => {
  actor.noteOf(name, label, 'is asked for', name)
  response.reject()
}
const silent = (actor, label) => name => actor.noteOf(name, label, 'is asked for', name)

const late = (actor, label, held) => (name, response) => {
  actor.noteOf(name, label, 'is asked for', name)
  response.onStop(actor.hears(`${label} stops`, undefined, name))
  held.push(response)
}

/** The same for both topics: how to subscribe, and how to leave again. */
const topics = {
  event: {
    api: one => one.event,
    enter (one, name) { one.event.subscribe(name, one.hears(`hears ${name}`)); return { leave: () => one.event.unsubscribe(name) } }
  },
  record: {
    api: one => one.record,
    enter (one, name) { const record = one.opens(name); return { record, leave: () => record.discard() } }
  }
}

const left = () => new Promise(resolve => setTimeout(() => resolve(true), 60)) // a record is left after 30 ms

export const old = ['event: asked, accepted, left', 'record: asked, accepted, left']
export const scripts = {}

for (const [topic, { api, enter }] of Object.entries(topics)) {
  Object.assign(scripts, {
    [`${topic}: asked, accepted, left`]: async t => {
      const [pro, ann, bob] = await t.clients('pro', 'ann', 'bob')
      await t.step('pro listens', () => api(pro).listen(`${topic}1/.*`, accept(pro, 'pro')))
      let first, second
      await t.step('ann enters', () => { first = enter(ann, `${topic}1/a`) })
      await t.step('bob enters', () => { second = enter(bob, `${topic}1/a`) })
      await t.step('ann enters another', () => enter(ann, `${topic}1/b`))
      await t.step('and one that nobody provides', () => enter(ann, `${topic}/other`))
      await t.step('pro sends', () => topic === 'event' ? pro.event.emit('event1/a', 'provided') : pro.record.setData('record1/a', { by: 'pro' }))
      await t.step('ann leaves', () => first.leave(), () => left())
      await t.step('bob leaves', () => second.leave(), () => left())
      await t.step('ann enters again', () => enter(ann, `${topic}1/a`))
      await t.step('pro unlistens', () => api(pro).unlisten(`${topic}1/.*`))
      await t.step('bob enters now', () => enter(bob, `${topic}1/a`))
      await t.step('pro listens again', () => api(pro).listen(`${topic}1/.*`, accept(pro, 'pro')))
      await t.step('pro closes', () => pro.close())
    },

    [`${topic}: names that are there before`]: async t => {
      const [pro, ann] = await t.clients('pro', 'ann')
      await t.step('ann enters', () => enter(ann, `${topic}2/a`))
      await t.step('and another', () => enter(ann, `${topic}2/b`))
      await t.step('pro listens', () => api(pro).listen(`^${topic}2/`, accept(pro, 'pro')))
      await t.step('ann closes', () => ann.close())
    },

    [`${topic}: rejected`]: async t => {
      const [pro, alt, ann, bob] = await t.clients('pro', 'alt', 'ann', 'bob')
      await t.step('pro listens', () => api(pro).listen(`${topic}3/.*`, reject(pro, 'pro')))
      await t.step('ann enters', () => enter(ann, `${topic}3/a`))
      await t.step('alt listens', () => api(alt).listen(`${topic}3/[ab]`, accept(alt, 'alt')))
      await t.step('ann enters another', () => enter(ann, `${topic}3/b`))
      await t.step('bob enters', () => enter(bob, `${topic}3/a`))
      await t.step('alt closes', () => alt.close())
      await t.step('bob enters a third', () => enter(bob, `${topic}3/c`))
    },

    [`${topic}: two listeners, the first one leaves`]: async t => {
      const [pro, alt, ann] = await t.clients('pro', 'alt', 'ann')
      await t.step('pro listens', () => api(pro).listen(`${topic}4/.*`, accept(pro, 'pro')))
      await t.step('alt listens', () => api(alt).listen(`${topic}4/.*`, accept(alt, 'alt')))
      await t.step('ann enters', () => enter(ann, `${topic}4/a`))
      await t.step('pro unlistens', () => api(pro).unlisten(`${topic}4/.*`))
      await t.step('pro listens again', () => api(pro).listen(`${topic}4/.*`, accept(pro, 'pro')))
      await t.step('alt closes', () => alt.close())
      await t.step('ann closes', () => ann.close())
    },

    [`${topic}: no answer`]: async t => {
      const [pro, alt, ann] = await t.clients('pro', 'alt', 'ann')
      await t.step('pro is silent', () => api(pro).listen(`${topic}5/.*`, silent(pro, 'pro')))
      await t.step('alt listens', () => api(alt).listen(`${topic}5/.*`, accept(alt, 'alt')))
      await t.step('ann enters', () => enter(ann, `${topic}5/a`), () => t.heard(alt, 'alt'))
    },

    [`${topic}: a late answer`]: async t => {
      const [pro, ann] = await t.clients('pro', 'ann')
      const held = []
      await t.step('pro listens', () => api(pro).listen(`${topic}6/.*`, late(pro, 'pro', held)))
      await t.step('ann enters', () => enter(ann, `${topic}6/a`), () => t.heard(pro, 'error'))
      await t.step('pro accepts', () => held[0].accept())
    },

    [`${topic}: the subscriber leaves while somebody is asked`]: async t => {
      const [pro, ann, bob] = await t.clients('pro', 'ann', 'bob')
      const held = []
      await t.step('pro listens', () => api(pro).listen(`${topic}7/.*`, late(pro, 'pro', held)))
      await t.step('ann enters', () => enter(ann, `${topic}7/a`))
      await t.step('ann closes', () => ann.close())
      await t.step('pro accepts', () => held[0].accept())
      await t.step('bob enters', () => enter(bob, `${topic}7/a`))
    },

    [`${topic}: who provides subscribes too`]: async t => {
      const [pro] = await t.clients('pro')
      await t.step('pro listens', () => api(pro).listen(`${topic}8/.*`, accept(pro, 'pro')))
      let mine
      await t.step('pro enters', () => { mine = enter(pro, `${topic}8/a`) })
      await t.step('pro leaves', () => mine.leave(), () => left())
    },

    [`${topic}: several patterns of one client`]: async t => {
      const [pro, ann] = await t.clients('pro', 'ann')
      await t.step('pro listens to two', () => {
        api(pro).listen(`${topic}9/.*`, reject(pro, 'wide'))
        api(pro).listen(`${topic}9/a.*`, accept(pro, 'narrow'))
      })
      await t.step('ann enters', () => enter(ann, `${topic}9/a1`))
      await t.step('and another', () => enter(ann, `${topic}9/b1`))
      await t.step('pro unlistens the narrow one', () => api(pro).unlisten(`${topic}9/a.*`))
    },

    [`${topic}: patterns`]: async t => {
      const [pro, ann] = await t.clients('pro', 'ann')
      for (const name of ['x/one', 'x/two', 'X/one', 'y-x', 'x', 'a.b', 'aXb', '日本']) await t.step(`ann enters ${name}`, () => enter(ann, `${topic}0:${name}`))
      const names = ['x/*', `^${topic}0:x/(one|two)$`, `^${topic}0:x`, 'a\\.b', 'a.b', '[xX]/one', `${topic}0:日.`, '\\w+/\\w{3}', 'x$', '.*', '(?:x)/(?<named>o)', '\\u0078/']
      for (const pattern of names) {
        await t.step(`pro listens to ${pattern}`, () => api(pro).listen(pattern, (name, response) => { if (name.startsWith(topic)) pro.noteOf(name, 'asked for', name); response.reject() }))
        await t.step(`and no more to ${pattern}`, () => api(pro).unlisten(pattern))
      }
      for (const pattern of ['[', '(', '*', 'a{2,1}', '(?<n>a)(?<n>b)']) await t.step(`pro listens to ${pattern}`, () => api(pro).listen(pattern, () => pro.note('asked')))
      for (const pattern of ['', null]) {
        await t.step(`pro tries ${pattern}`, () => { try { api(pro).listen(pattern, () => {}) } catch (error) { pro.note(error.message) } })
      }
      await t.step('pro listens twice', () => { api(pro).listen('twice', () => {}); api(pro).listen('twice', () => {}) })
      await t.step('pro unlistens what it does not', () => api(pro).unlisten('never'))
    }
  })
}

scripts['record: a provided record is deleted'] = async t => {
  const [pro, ann, bob] = await t.clients('pro', 'ann', 'bob')
  let record
  await t.step('pro listens', () => pro.record.listen('record-del/.*', accept(pro, 'pro')))
  await t.step('ann enters', () => { record = ann.opens('record-del/a') })
  await t.step('bob enters', () => bob.opens('record-del/a'))
  await t.step('ann deletes', () => ann.tells('delete', record.delete()))
  await t.step('bob enters again', () => bob.opens('record-del/a'))
}

scripts['record: snapshots and setData ask nobody'] = async t => {
  const [pro, ann] = await t.clients('pro', 'ann')
  await t.step('pro listens', () => pro.record.listen('record-read/.*', accept(pro, 'pro')))
  await t.step('ann writes', () => ann.tells('ack', ann.record.setDataWithAck('record-read/a', { n: 1 })))
  await t.step('ann reads', () => ann.tells('snapshot', ann.record.snapshot('record-read/a')))
  await t.step('ann asks', () => ann.tells('head', ann.record.head('record-read/a')))
}
