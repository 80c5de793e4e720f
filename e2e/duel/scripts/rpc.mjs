// Calls: callers, providers, and what goes wrong between them.

import { TIMEOUTS } from '../arena.mjs'

export const old = ['call and answer', 'errors, rejections, nobody there']

const VALUES = [undefined, null, true, 0, '', 'text', [1, 'x'], { a: { b: null } }, 'ä🚀'.repeat(100)]

export const scripts = {
  'call and answer': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob provides', () => bob.rpc.provide('echo', bob.hears('called', (data, response) => response.send(data))))
    await t.step('ann calls with every type', () => VALUES.forEach((value, i) => ann.tells(`call ${i}`, ann.rpc.make('echo', value))))
    await t.step('with a callback', () => ann.rpc.make('echo', 1, ann.hears('called back')))
    await t.step('bob calls himself', () => bob.tells('own', bob.rpc.make('echo', 'own')))
    await t.step('bob provides it again', () => bob.rpc.provide('echo', () => {}))
    await t.step('bob stops', () => bob.rpc.unprovide('echo'))
    await t.step('ann calls', () => ann.tells('call', ann.rpc.make('echo', 1)))
    await t.step('bob stops again', () => bob.rpc.unprovide('echo'))
    await t.step('bob provides once more', () => bob.rpc.provide('echo', (data, response) => response.send([data])))
    await t.step('ann calls again', () => ann.tells('call', ann.rpc.make('echo', 1)))
  },

  'errors, rejections, nobody there': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob provides', () => {
      bob.rpc.provide('errors', (data, response) => response.error(data))
      bob.rpc.provide('rejects', (data, response) => response.reject())
      bob.rpc.provide('accepts first', (data, response) => { response.accept(); response.send('accepted') })
      bob.rpc.provide('sends nothing', (data, response) => response.send())
      bob.rpc.provide('throws', () => { throw new Error('provider') })
    })
    await t.step('nobody', () => ann.tells('nobody', ann.rpc.make('nobody', 1)))
    for (const text of ['text', { code: 1 }, '', undefined]) await t.step(`error ${JSON.stringify(text)}`, () => { ann.tells('errors', ann.rpc.make('errors', text)) })
    await t.step('rejects', () => ann.tells('rejects', ann.rpc.make('rejects')))
    await t.step('accepts first', () => ann.tells('accepts first', ann.rpc.make('accepts first')))
    await t.step('sends nothing', () => ann.tells('sends nothing', ann.rpc.make('sends nothing')))
    await t.step('arguments the client refuses', () => {
      for (const [i, call] of [() => ann.rpc.make(''), () => ann.rpc.provide('', () => {}), () => ann.rpc.provide('x')].entries()) {
        try { call() } catch (error) { ann.note(`call ${i}`, error.message) }
      }
    })
  },

  'several providers, all but one reject': async t => {
    const [ann, bob, cid, dan] = await t.clients('ann', 'bob', 'cid', 'dan')
    await t.step('they provide', () => {
      for (const one of [bob, cid]) one.rpc.provide('pick', (data, response) => response.reject())
      dan.rpc.provide('pick', (data, response) => response.send('dan'))
    })
    for (let i = 0; i < 5; i++) await t.step(`call ${i}`, () => ann.tells('call', ann.rpc.make('pick', i)))
    await t.step('dan leaves', () => dan.close())
    await t.step('all reject', () => ann.tells('call', ann.rpc.make('pick')))
    await t.step('they stop', () => [bob, cid].forEach(one => one.rpc.unprovide('pick')))
    await t.step('nobody', () => ann.tells('call', ann.rpc.make('pick')))
  },

  'nobody accepts': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let late
    await t.step('bob does nothing', () => bob.rpc.provide('silent', (data, response) => { response.autoAccept = false; late = response }))
    await t.step('ann calls', () => ann.tells('call', ann.rpc.make('silent')), () => t.heard(ann, 'call'))
    await t.step('bob answers late', () => late.send('late'))
  },

  'accepted, never answered': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let late
    await t.step('bob accepts only', () => bob.rpc.provide('slow', (data, response) => { late = response }))
    await t.step('ann calls', () => ann.tells('call', ann.rpc.make('slow')), () => t.heard(ann, 'call'))
    await t.step('bob answers late', () => late.send('late'))
    await t.step('bob answers twice', () => late.send('twice'))
  },

  'answered twice': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob answers twice', () => bob.rpc.provide('twice', (data, response) => {
      response.send(1)
      try { response.send(2) } catch (error) { bob.note('throws', error.message) }
    }))
    await t.step('ann calls', () => ann.tells('call', ann.rpc.make('twice')))
    await t.step('bob accepts, then rejects', () => bob.rpc.provide('changes', (data, response) => { response.accept(); response.reject() }))
    await t.step('ann calls it', () => ann.tells('call', ann.rpc.make('changes')))
    await t.step('bob accepts, then fails', () => bob.rpc.provide('fails', (data, response) => { response.accept(); response.error('failed') }))
    await t.step('ann calls that', () => ann.tells('call', ann.rpc.make('fails')))
  },

  'later than at once': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob takes his time', () => bob.rpc.provide('later', async (data, response) => {
      await new Promise(resolve => setTimeout(resolve, TIMEOUTS.ack + 100))
      response.send('later')
    }))
    await t.step('ann calls', () => ann.tells('call', ann.rpc.make('later')), () => t.heard(ann, 'call'))
  },

  'the provider closes before it answers': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob provides', () => bob.rpc.provide('gone', (data, response) => {
      response.autoAccept = false
      bob.close()
    }))
    await t.step('ann calls', () => ann.tells('call', ann.rpc.make('gone')), () => t.heard(ann, 'call'))
  },

  'the provider closes after it accepted': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    await t.step('bob provides', () => bob.rpc.provide('gone', (data, response) => { response.accept() }))
    await t.step('ann calls', () => ann.tells('call', ann.rpc.make('gone')))
    await t.step('bob closes', () => bob.close(), () => t.heard(ann, 'call'))
  },

  'the caller closes': async t => {
    const [ann, bob] = await t.clients('ann', 'bob')
    let response
    await t.step('bob provides', () => bob.rpc.provide('wait', (data, r) => { response = r }))
    await t.step('ann calls', () => ann.tells('call', ann.rpc.make('wait')))
    await t.step('ann closes', () => ann.close())
    await t.step('bob answers', () => response.send('to nobody'))
    const [cid] = await t.clients('cid')
    await t.step('cid calls', () => cid.tells('call', cid.rpc.make('wait')))
    await t.step('bob answers cid', () => response.send('to cid'))
  },

  'many calls at once': async t => {
    const [ann, bob, cid] = await t.clients('ann', 'bob', 'cid')
    await t.step('bob provides', () => bob.rpc.provide('double', (n, response) => response.send(n * 2)))
    await t.step('two callers', () => {
      for (let i = 0; i < 30; i++) for (const one of [ann, cid]) one.tells(`call ${i}`, one.rpc.make('double', i))
    })
  }
}
