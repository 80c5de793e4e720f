// Records what the official json-path modules make of patches, for TestOfficialPatches:
//
//   npm pack @deepstream/server@7.0.2 @deepstream/client@7.0.5     (and unpack both)
//   node record.mjs SERVER/dist/src/utils/json-path.js CLIENT/dist/src/record/json-path.js > patches.txt
//
// A line is: operation, document, path as a JSON string, value, result of the server, result of the
// client, with tabs between. "!" and an error's name stand for an exception, "=" for the same as the
// server's result, "-" for none. The server of 7.0.2 has no PATCH_MULTI; a list is applied one by one.
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const load = (file) => createRequire(import.meta.url)(resolve(file))
const server = load(process.argv[2])
const client = load(process.argv[3])

const attempt = (f) => {
  try {
    const text = JSON.stringify(f())
    return text === undefined ? '-' : text
  } catch (e) {
    return '!' + e.name
  }
}

const line = (op, doc, path, value, a, b) =>
  console.log([op, doc, path, value, a, b === a ? '=' : b].join('\t'))

const patchServer = (doc, path, value) => attempt(() => {
  const root = JSON.parse(doc)
  server.setValue(root, path, value)
  return root
})

const set = (doc, path, value = '9') => line('set', doc, JSON.stringify(path), value,
  patchServer(doc, path, JSON.parse(value)),
  attempt(() => client.setValue(JSON.parse(doc), path, JSON.parse(value))))

const erase = (doc, path) => line('erase', doc, JSON.stringify(path), '-',
  patchServer(doc, path, undefined),
  attempt(() => client.setValue(JSON.parse(doc), path, undefined)))

const get = (doc, path) => line('get', doc, JSON.stringify(path), '-',
  attempt(() => server.getValue(JSON.parse(doc), path)),
  attempt(() => client.get(JSON.parse(doc), path)))

const multi = (doc, patches) => line('multi', doc, '-', JSON.stringify(patches),
  attempt(() => {
    const root = JSON.parse(doc)
    for (const p of patches) server.setValue(root, p.path, p.data)
    return root
  }),
  attempt(() => patches.reduce((root, p) => client.setValue(root, p.path, p.data), JSON.parse(doc))))

// Every way of patching, on every kind of document.
const docs = [
  '{}',
  '{"a":null,"z":1}',
  '{"a":1,"b":"x","c":true,"d":false}',
  '{"z":0,"a":{"b":{"c":1},"m":2},"d":[1,[2,3],{"x":4}],"e":[],"f":{}}',
  '[]',
  '[1,[2,3],{"a":4},null]',
  '{"0":"p","1":["q"],"a":{"0":"r","1":{"2":3}},"":{"0":7,"k":[8]}}'
]
const paths = [
  'a', 'a.b', 'a.b.c', 'a.b.c.d', 'z', 'new', 'new.x.y', 'a[0]', 'a[1]', 'a[3]', 'a[1][2]', 'a[1].b', 'a.0', 'a.1.2',
  '0', '1', '2', '1.0', '2.a', '7', '[0]', '[1].k', '[0][1]', 'd', 'd[0]', 'd[1][0]', 'd[1].1', 'd[2].x', 'd.2.x', 'd[2][x]',
  'd[5]', 'd.5', 'd.05', 'd.foo', 'd.foo.bar', 'd[-1]', 'd[x]', 'd[x].y', 'd[1][x]', 'e[0]', 'e[2].k', 'e.k', 'f[0]', 'f[0][1]', 'f.g[2].h', 'f[NaN]'
]
for (const doc of docs) {
  for (const path of paths) {
    set(doc, path)
    erase(doc, path)
    get(doc, path)
  }
}

// The spelling of paths.
const spellings = [
  ' a ', ' a . b ', 'a..b', '.a', 'a.', '..a..b..', 'a. .b', '\ta\n', '\u00a0a\ufeff', '\u2003a.b\u3000', '\u0085a', 'a b', 'a [0]', 'a[0] ', 'a[ 0 ]', 'a[0]b',
  'a[0]b[1]', 'a]0[', 'a]0', 'a[0', 'a[[0]]', 'a[]', 'a[].b', '[]', '[].a', ']', '[[', 'a[0][]', 'a[][1]', 'a[ ]', 'a[\t]',
  'a[1e1]', 'a[1E1]', 'a[1e+1]', 'a[1e-1]', 'a[2e-1]', 'a[0x1]', 'a[0X1f]', 'a[0b11]', 'a[0o17]', 'a[+0x1]', 'a[0x]', 'a[0xg]', 'a[0b2]', 'a[0x1_0]',
  'a[+1]', 'a[-0]', 'a[+0]', 'a[-1]', 'a[--1]', 'a[+-1]', 'a[01]', 'a[007]', 'a[1_0]', 'a[1,2]', 'a[1.5]', 'a[.5]', 'a[inf]', 'a[Infinity]', 'a[-Infinity]',
  'a[+Infinity]', 'a[infinity]', 'a[NaN]', 'a[nan]', 'a[1e999]', 'a[-1e999]', 'a[1e21]', 'a[1e20]', 'a[123e18]', 'a[123456789012345678901234567890]',
  'a[1e-6]', 'a[1e-7]', 'a[12e-9]', 'a[9007199254740993]', 'a[0x20000000000001]', 'a[0xfffffffffffffffffffff]', 'a[1e-400]', 'a["0"]', "a['b']", 'a[b]',
  'a[4294967295]', 'a[4294967296]', 'a.4294967295', 'a[1e]', 'a[e1]', 'a[1e1.5]', 'a[0x1p1]', 'a[１]', 'a[\ufeff1\u00a0]', 'a[1\u0085]',
  'a\\.b', 'a"b', 'a\\b', "a'b", 'a\u0000b', 'a\u001fb\u007f', 'é.€.😀', '\u2028x', 'a#b', 'a|b', 'a.#', 'a.*', '@this', '@reverse.a', 'a?b', '!x', '{a,b}', '~true',
  'a.toString', 'toString', 'hasOwnProperty.x', 'valueOf', '__proto', 'constructor2', 'a[__proto__]', 'Prototype', 'length', 'a/b', '$', '$.a'
]
for (const doc of ['{}', '{"a":{"b":1,"1":2,"NaN":3,"0":4},"x":5}', '{"a":[10,11,12],"x":5}']) {
  for (const path of spellings) {
    if (doc === '{}' && path === 'a[4294967295]') continue // here the client dies of it: four billion nulls
    set(doc, path)
    erase(doc, path)
  }
}

// The spelling of documents and values.
const spelled = [
  ' { "a" : 1 , "b" : [ 1 , 2 ] } ', '{ }', '{"a" : { } }', ' [ ] ', '{"b":[ ]}', '{"b":[ 1 ],"a":{"k": [ ] }}',
  '{"\\u0061":1,"b":[2]}', '{"a":1,"b":[3],"a":{"k":4}}', '{"a":{"k":1},"c":0,"a":2}', '{"a":1,"\\u0061":{"k":2},"a":{"j":3}}', '{"a":1,"a":2}',
  '{"\\"":1,"\\\\":2,"\\/":3,"n\\nn":4,"\\u00e9":5,"\\ud83d\\ude00":6,"\\ud800":7}', '{"a":"}]{[\\"","b":"\\\\"}'
]
for (const doc of spelled) {
  for (const path of ['a', 'a.k', 'b', 'b[0]', 'b[1]', 'b[3]', 'c', '"', '\\', '/', 'n\nn', 'é', '😀', '\\u0061', '0']) {
    set(doc, path, '[null,{"v":"\\u00fc"}]')
    erase(doc, path)
    get(doc, path)
  }
}
for (const value of ['null', 'true', '0', '""', '"x"', '{}', '[]', '{"b":1,"a":{"0":[]}}', '[[],[{}]]', '"\\ud83d\\ude00"', '-0.5', '1e+30']) {
  for (const path of ['a', 'b.c', 'b[1]']) set('{"a":{"k":1},"b":[0]}', path, value)
}

// Order of keys, and lists of patches.
multi('{"a":1,"b":2,"c":3}', [{ path: 'b' }, { path: 'b', data: 4 }])
multi('{"a":1,"b":2,"c":3}', [{ path: 'a' }, { path: 'b' }, { path: 'c' }])
multi('{}', [{ path: 'l[2]', data: 1 }, { path: 'l[0]', data: { k: [] } }, { path: 'l[0].k[1]', data: null }, { path: 'l[2]' }])
multi('[]', [{ path: '0', data: 1 }, { path: '1', data: 2 }, { path: '0' }])
multi('{"h":0}', [{ path: '0', data: 'x' }, { path: '1', data: 'y' }, { path: 'h', data: 1 }])
multi('{"a":5}', [{ path: 'a.b' }, { path: 'a.b.c' }, { path: 'a[1]', data: 0 }])
multi('{"a":{}}', [{ path: 'é"\\.n', data: '"\\\n' }, { path: 'a', data: false }])
multi('{"x":[1,2]}', [{ path: 'x.foo', data: 1 }, { path: 'x[5]' }, { path: 'x[3]', data: 3 }])
