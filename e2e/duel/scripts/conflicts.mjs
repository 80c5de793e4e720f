// Two clients that write the same version. One of them is held back so that who wins is no matter of speed: what the
// loser sends was made before it could know of the winner's write.

const LATE = 20 // ms
const merged = (local, localVersion, remote, remoteVersion, callback) => callback(null, { ...remote, ...local })
const STRATEGIES = {
  'REMOTE_WINS': undefined,
  'LOCAL_WINS': (local, localVersion, remote, remoteVersion, callback) => callback(null, local),
  'a function that merges': merged,
  'a function that fails': (local, localVersion, remote, remoteVersion, callback) => callback('cannot merge'),
  'a function that answers late': (...args) => setTimeout(() => merged(...args), LATE)
}

/** `lose` writes to a record whose next version is taken by somebody else: with the client's own version kept back. */
async function conflict (t, name, strategy, lose) {
  const bob = t.client('bob', strategy ? { mergeStrategy: strategy } : {})
  const [ann] = await t.clients('ann')
  await t.step('bob logs in', () => bob.tells('login', bob.ds.login({ username: 'bob' })), () => bob.open)
  let a, b
  await t.step('both open it', () => { a = ann.opens(name); b = bob.opens(name) })
  await t.step('a start', () => a.set({ start: true }))
  await t.step('bob does not hear of ann\'s write', () => {
    bob.deaf = true
    a.set({ by: 'ann' })
  })
  await t.step('bob writes the same version, and hears all', () => {
    lose(bob, b)
    bob.deaf = false
  }, () => new Promise(resolve => setTimeout(() => resolve(true), LATE * 2)))
  await t.step('they look', () => { ann.looks(a); bob.looks(b) })
  await t.step('ann goes on', () => a.set('next', 'ann'))
  await t.step('bob goes on', () => b.set('next', 'bob'))
  await t.step('they look again', () => { ann.looks(a); bob.looks(b) })
  const [cid] = await t.clients('cid')
  await t.step('what is stored', () => { cid.tells('snapshot', cid.record.snapshot(name)); cid.tells('head', cid.record.head(name)) })
}

const kinds = {
  'a whole record': (bob, b) => b.set({ by: 'bob' }),
  'a path': (bob, b) => b.set('by', 'bob'),
  'an erase': (bob, b) => b.erase('start'),
  'an acknowledged write': (bob, b) => { bob.tells('ack', b.setWithAck({ by: 'bob' })) },
  'three writes': (bob, b) => { for (let i = 0; i < 3; i++) b.set('n', i) }
}

export const scripts = {}
for (const [strategy, merge] of Object.entries(STRATEGIES)) {
  for (const [kind, lose] of Object.entries(kinds)) {
    scripts[`${strategy}, ${kind}`] = t => conflict(t, `c/${strategy}/${kind}`, merge, lose)
  }
}
