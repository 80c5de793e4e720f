import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serve, settled } from '../lib/server.mjs'
import { event, EVENT_ACTION } from '../lib/raw.mjs'
import { eventually, never, within } from '../lib/wait.mjs'

const server = await serve({
  monitoringServer: { port: 0 },
  monitoring: [{ type: 'log', options: { logInterval: 20, monitoringKey: 'STATS' } }]
})

const watch = () => /metrics and health checks on (http:\/\/[\d.:]+)/.exec(server.log)[1]
const ask = path => fetch(watch() + path)

/** All metrics of the server's own, as { 'name{labels}': value }. */
async function metrics () {
  const answer = await ask('/metrics')
  assert.equal(answer.status, 200)
  const lines = (await answer.text()).split('\n').filter(line => line.startsWith('deepstream_'))
  return Object.fromEntries(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

/** How much each metric has grown since `before`; what has not is left out. */
async function grown (before) {
  const after = await metrics()
  return Object.fromEntries(Object.entries(after).map(([key, value]) => [key, value - (before[key] ?? 0)]).filter(([, n]) => n !== 0))
}

const received = (topic, action) => `deepstream_messages_received_total{action="${action}",topic="${topic}"}`
const sent = (topic, action) => `deepstream_messages_sent_total{action="${action}",topic="${topic}"}`
const delivered = (topic, action) => `deepstream_deliveries_total{action="${action}",topic="${topic}"}`

test('every emit and every delivery of official clients is counted, once', async () => {
  const before = await metrics()
  const [emitter, ...subscribers] = await Promise.all(['e', 's1', 's2', 's3'].map(name => server.login(name)))
  let got = 0
  for (const client of [emitter, ...subscribers]) {
    client.event.subscribe('news', () => got++)
    await settled(client)
  }
  for (let i = 0; i < 50; i++) emitter.event.emit('news', i)
  for (let i = 0; i < 7; i++) emitter.event.emit('nobody', i)
  await eventually('deliveries', () => got === 200) // its own among them, which it makes itself
  await settled(emitter)
  const now = await grown(before)
  assert.equal(now[received('EVENT', 'EMIT')], 57)
  assert.equal(now[received('EVENT', 'SUBSCRIBE')], 4)
  assert.equal(now[received('PRESENCE', 'QUERY_ALL')], undefined)
  assert.equal(now[sent('EVENT', 'SUBSCRIBE')], 4)
  assert.equal(now[delivered('EVENT', 'EMIT')], 150)
  assert.equal(now['deepstream_subscriptions{topic="EVENT"}'], 4)
  assert.equal(now['deepstream_subscribed_names{topic="EVENT"}'], 1)
  assert.equal(now['deepstream_logins_total{endpoint="websocket",result="allowed"}'], 4)
  assert.equal(now['deepstream_connections_opened_total'] - (now['deepstream_connections_closed_total{reason="request"}'] ?? 0), 4)
  assert.equal(now.deepstream_sessions, 4)
  assert.equal(now.deepstream_online_users, 4)
})

test('what clients held is gone with them', async () => {
  await eventually('the last test\'s clients to be gone', async () => {
    const now = await metrics()
    return now.deepstream_sessions === 0 && now.deepstream_online_users === 0 && now['deepstream_connections_closed_total{reason="peer"}'] >= 4
  })
  const now = await metrics()
  assert.equal(now['deepstream_subscriptions{topic="EVENT"}'], 0)
  assert.equal(now['deepstream_subscribed_names{topic="EVENT"}'], 0)
  assert.equal(now.deepstream_online_users, 0)
  assert.equal(now['deepstream_connections_closed_total{reason="peer"}'], 4)
})

test('records and calls are counted, down to the disk', async () => {
  const before = await metrics()
  const [writer, reader] = await Promise.all(['w', 'r'].map(name => server.login(name)))
  const [record, copy] = [writer, reader].map(client => client.record.getRecord('metrics/record'))
  await within('records', Promise.all([record.whenReady(), copy.whenReady()]))
  for (let i = 0; i < 5; i++) await within('write', record.setWithAck('n', i))
  await eventually('the last update', () => copy.get('n') === 4)
  reader.rpc.provide('double', (data, response) => response.send(data * 2))
  await settled(reader)
  for (let i = 0; i < 3; i++) assert.equal(await within('call', writer.rpc.make('double', i)), 2 * i)
  const now = await grown(before)
  assert.equal(now[received('RECORD', 'PATCH')], 5)
  assert.equal(now[delivered('RECORD', 'PATCH')], 5)
  assert.equal(now[sent('RECORD', 'WRITE_ACKNOWLEDGEMENT')], 5)
  assert.equal(now['deepstream_subscriptions{topic="RECORD"}'], 2)
  assert.equal(now['deepstream_storage_writes_total{result="ok"}'], 6) // with the creation
  assert.ok(now.deepstream_storage_sync_duration_seconds_count > 0)
  assert.equal(now.deepstream_storage_ack_duration_seconds_count > 0, true)
  assert.equal(now[received('RPC', 'REQUEST')], 3)
  assert.equal(now[sent('RPC', 'REQUEST')], 3)
  assert.equal(now[sent('RPC', 'RESPONSE')], 3)
  assert.equal(now['deepstream_subscriptions{topic="RPC"}'], 1)
})

test('wrong messages and refused upgrades are counted for what they are', async () => {
  const before = await metrics()
  const raw = await server.raw()
  await raw.request(event('SUBSCRIBE', { names: ['twice'], correlationId: '0' }),
    event('SUBSCRIBE', { isAck: true, correlationId: '0' }))
  await raw.request(event('SUBSCRIBE', { names: ['twice'], correlationId: '1' }),
    event('MULTIPLE_SUBSCRIPTIONS', { name: 'twice', originalAction: EVENT_ACTION.SUBSCRIBE }),
    event('SUBSCRIBE', { isAck: true, correlationId: '1' }))
  assert.equal((await fetch(`http://${server.url}/nothing`)).status, 404)
  const now = await grown(before)
  assert.equal(now[sent('EVENT', 'MULTIPLE_SUBSCRIPTIONS')], 1)
  assert.equal(now[received('EVENT', 'SUBSCRIBE')], 2)
  assert.equal(now.deepstream_http_requests_total, 1)
  assert.equal(now['deepstream_subscriptions{topic="EVENT"}'], 1)
})

test('health checks answer, profiles do not', async () => {
  for (const [path, status] of [['/livez', 200], ['/readyz', 200], ['/', 200], ['/debug/pprof/', 404], ['/nothing', 404]]) {
    const answer = await ask(path)
    await answer.arrayBuffer()
    assert.equal(answer.status, status, path)
  }
})

test('a report is logged per interval, and adds up', async () => {
  const reports = () => server.log.split('\n').filter(line => line.includes('Monitoring stats for ')).map(line => JSON.parse(line))
  const sum = () => reports().reduce((n, line) => n + (JSON.parse(line.message).STATS.received.EVENT?.EMIT ?? 0), 0)
  const client = await server.login('logged')
  const before = sum()
  for (let i = 0; i < 11; i++) client.event.emit('logged', i)
  await eventually('the emits in the log', () => sum() === before + 11)
  await never('more than that', () => sum() !== before + 11)
  const lines = reports()
  const { level, namespace, message, event } = lines.at(-1)
  assert.deepEqual([level, namespace], [30, 'STATS'])
  const { STATS, from, to } = JSON.parse(message)
  assert.equal(event, `Monitoring stats for ${from} to ${to}`)
  assert.equal(from, JSON.parse(lines.at(-2).message).to, 'periods follow one another')
  assert.deepEqual(Object.keys(STATS), ['clusterSize', 'stateMetrics', 'errors', 'received', 'send', 'logins'])
})
