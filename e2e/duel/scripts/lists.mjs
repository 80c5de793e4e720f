// Lists and anonymous records: wrappers of the client around records.

export const scripts = {
  'a list': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let a, b
    await t.step('both open it', () => {
      a = ann.record.getList('l/basic')
      b = bob.record.getList('l/basic')
      for (const [one, list] of [[ann, a], [bob, b]]) {
        list.subscribe(one.hears('entries'))
        for (const event of ['entry-added', 'entry-removed', 'entry-moved', 'delete', 'discard']) list.on(event, one.hears(event))
        list.whenReady().then(() => one.note('ready', JSON.stringify(list.getEntries()), list.isEmpty()))
      }
    })
    await t.step('entries', () => a.setEntries(['x', 'y']))
    await t.step('add', () => a.addEntry('z'))
    await t.step('add at an index', () => b.addEntry('first', 0))
    await t.step('add twice', () => b.addEntry('x'))
    await t.step('remove', () => a.removeEntry('y'))
    await t.step('remove at an index', () => a.removeEntry('x', 1))
    await t.step('reorder', () => b.setEntries([...b.getEntries()].reverse()))
    await t.step('with ack', () => ann.tells('ack', a.setEntriesWithAck(['a', 'b', 'c'])))
    await t.step('as a record', () => { const record = bob.record.getRecord('l/basic'); bob.looks(record) })
    await t.step('emptied', () => a.setEntries([]))
    await t.step('what the client refuses', () => {
      for (const [i, call] of [() => a.setEntries('x'), () => a.setEntries([1]), () => a.addEntry(1)].entries()) {
        try { call() } catch (error) { ann.note(`call ${i}`, error.message) }
      }
    })
    await t.step('deleted', () => ann.tells('delete', a.delete()))
  },

  'an anonymous record': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let a
    await t.step('two records', () => {
      bob.tells('one', bob.record.setDataWithAck('l/one', { n: 1 }))
      bob.tells('two', bob.record.setDataWithAck('l/two', { n: 2 }))
    })
    await t.step('anonymous', () => {
      a = ann.record.getAnonymousRecord()
      a.subscribe('n', ann.hears('n'))
      a.subscribe(ann.hears('all'))
      a.on('nameChanged', ann.hears('nameChanged'))
      a.setName('l/one')
    })
    await t.step('changed', () => bob.record.setData('l/one', 'n', 10))
    await t.step('another name', () => a.setName('l/two', ann.hears('named')))
    await t.step('both changed', () => { bob.record.setData('l/one', 'n', 100); bob.record.setData('l/two', 'n', 200) })
    await t.step('set through it', () => ann.tells('ack', a.setWithAck('n', 5)))
    await t.step('stored', () => bob.tells('snapshot', bob.record.snapshot('l/two')))
  }
}
