// Random scripts: few clients, few names, one operation per step, all from a seed.
//
// What the operations are is decided before the first one is carried out, so both servers get the same script. Two
// clients never act at the same time, so there is one right outcome. Left out is what differs on purpose or is a matter
// of who is faster: see expected.mjs and the scripts of files for those.

const STEPS = 40
const CLIENTS = ['ann', 'bob', 'cid']
const PATHS = ['a', 'b', 'a.b', 'a.c.d', 'list[0]', 'list[2]', 'list.1', 'grid[0][1]', 'o.0', 'a..b', ' b . c ']
// None of these goes through an element that may be null: the official server dies of that (Q1).
const VALUES = [0, 1, -1.5, true, false, '', 'text', 'ä🚀', [], [1, 2], {}, { x: 1 }, { y: [{ z: 0 }] }]
const RECORDS = ['one', 'two', 'three']
const EVENTS = ['e1', 'e2']
const CALLS = ['c1', 'c2']
const PATTERNS = ['/one$', 't', 'o']

/** mulberry32: a small generator whose whole state is its seed. */
function generator (seed) {
  let state = seed >>> 0
  return below => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor(((t ^ (t >>> 14)) >>> 0) / 4_294_967_296 * below)
  }
}

/** What a client does in a step: [title, function of the actor and what it holds]. `p` makes names of this seed. */
function operations (pick, p) {
  const record = () => p + pick(RECORDS)
  const open = (me, name) => {
    if (!me.records.has(name)) me.records.set(name, me.opens(name))
    return me.records.get(name)
  }
  const held = (me, name, act) => act(open(me, name)) // a write to what is not ready yet is queued by the client
  const make = {
    open: () => ['open', record(), (me, name) => open(me, name)],
    set: (value = pick(VALUES.filter(v => typeof v === 'object'))) => [`set ${JSON.stringify(value)}`, record(), (me, name) => held(me, name, r => r.set(value))],
    setPath: (path = pick(PATHS), value = pick(VALUES)) => [`set ${path} ${JSON.stringify(value)}`, record(), (me, name) => held(me, name, r => r.set(path, value))],
    setWithAck: (path = pick(PATHS), value = pick(VALUES)) => [`ack ${path} ${JSON.stringify(value)}`, record(), (me, name) => held(me, name, r => me.tells('ack', r.setWithAck(path, value)))],
    several: (values = [pick(VALUES), pick(VALUES), pick(VALUES)]) => ['three sets', record(), (me, name) => held(me, name, r => values.forEach(v => r.set('s', v)))],
    erase: (path = pick(PATHS)) => [`erase ${path}`, record(), (me, name) => held(me, name, r => r.erase(path))],
    discard: () => ['discard', record(), (me, name) => held(me, name, r => {
      r.discard()
      me.records.delete(name)
    }), 60],
    delete: () => ['delete', record(), (me, name, all) => {
      if (!me.records.get(name)?.isReady) return
      me.tells('delete', me.records.get(name).delete())
      all.forEach(one => one.records.delete(name))
    }],
    upsert: (value = pick(VALUES.filter(v => typeof v === 'object'))) => [`upsert ${JSON.stringify(value)}`, record(), (me, name) => me.tells('upsert', me.record.setDataWithAck(name, value))],
    upsertPath: (path = pick(PATHS), value = pick(VALUES)) => [`upsert ${path} ${JSON.stringify(value)}`, record(), (me, name) => me.record.setData(name, path, value)],
    snapshot: () => ['snapshot', record(), (me, name) => me.tells('snapshot', me.record.snapshot(name))],
    head: () => ['head', record(), (me, name) => me.tells('head', me.record.head(name))],
    has: () => ['has', record(), (me, name) => me.tells('has', me.record.has(name))],
    subscribe: () => ['subscribe', p + pick(EVENTS), (me, name) => {
      if (me.events.has(name)) return
      me.events.add(name)
      me.event.subscribe(name, me.hears(name, undefined, name))
    }],
    unsubscribe: () => ['unsubscribe', p + pick(EVENTS), (me, name) => me.events.delete(name) && me.event.unsubscribe(name)],
    emit: (value = pick(VALUES)) => [`emit ${JSON.stringify(value)}`, p + pick(EVENTS), (me, name) => me.event.emit(name, value)],
    provide: () => ['provide', p + pick(CALLS), (me, name, all) => { // one provider at a time: which of several is asked is random
      if (all.some(one => one.calls.has(name))) return
      me.calls.add(name)
      me.rpc.provide(name, me.hears(name, (data, response) => data === true ? response.reject() : data === false ? response.error('no') : response.send([me.name, data])))
    }],
    unprovide: () => ['unprovide', p + pick(CALLS), (me, name) => me.calls.delete(name) && me.rpc.unprovide(name)],
    call: (value = pick(VALUES)) => [`call ${JSON.stringify(value)}`, p + pick(CALLS), (me, name) => me.tells('call', me.rpc.make(name, value))],
    listen: () => ['listen', p.slice(0, -1) + pick(PATTERNS), (me, pattern) => {
      if (me.patterns.has(pattern)) return
      me.patterns.add(pattern)
      me.record.listen(pattern, (name, response) => {
        me.noteOf(name, 'asked for', name, 'by', pattern)
        response.onStop(me.hears('stops', undefined, name))
        if (pattern.endsWith('t')) response.reject()
        else response.accept()
      })
    }],
    unlisten: () => ['unlisten', p.slice(0, -1) + pick(PATTERNS), (me, pattern) => me.patterns.delete(pattern) && me.record.unlisten(pattern)],
    online: () => ['online', '', me => me.tells('online', me.presence.getAll(['ann', 'bob', 'dan']))],
    cut: () => ['is cut off', '', me => me.cut(), 'open']
  }
  const weights = { open: 6, setPath: 6, setWithAck: 4, set: 4, several: 2, erase: 2, upsert: 3, upsertPath: 3, emit: 4, call: 4, subscribe: 4, provide: 6, listen: 2, snapshot: 2, head: 2 }
  return Object.keys(make).flatMap(key => Array(weights[key] ?? 1).fill(make[key]))
}

export const random = seed => {
  const below = generator(seed)
  const pick = list => list[below(list.length)]
  const kinds = operations(pick, `x${seed}/`)
  const plan = Array.from({ length: STEPS }, () => [pick(CLIENTS), ...pick(kinds)()])
  return async t => {
    const all = await t.clients(...CLIENTS)
    for (const one of all) Object.assign(one, { records: new Map(), events: new Set(), calls: new Set(), patterns: new Set() })
    for (const [n, [who, title, name, act, wait]] of plan.entries()) {
      const me = all.find(one => one.name === who)
      const until = wait === 'open' ? () => me.open : typeof wait === 'number' ? () => new Promise(resolve => setTimeout(() => resolve(true), wait)) : undefined
      await t.step(`${n}: ${who}, ${title} ${name}`, () => { act(me, name, all) }, until)
    }
    await t.step('they look', () => all.forEach(one => one.records.forEach(record => one.looks(record))))
  }
}
