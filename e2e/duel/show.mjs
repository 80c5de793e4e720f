// Values as text, without what two servers cannot have in common.

const RANDOM = /^[0-9a-z]{6,}-[0-9a-z]{6,}$/ // correlation ids of the official client

// Fields of a message that client programs get to see in error events.
const FIELDS = ['name', 'names', 'subscription', 'originalAction', 'version', 'data', 'path', 'isError', 'isWriteAck']

/** JSON, but undefined, errors and messages are told apart. */
export function show (value) {
  if (value === undefined) return 'undefined'
  if (value instanceof Error) return `Error(${value.message})`.replace(/:\d{4,5}\b/g, ':port')
  if (typeof value === 'function') return 'function'
  if (value !== null && typeof value === 'object' && 'topic' in value && 'action' in value && typeof value.topic === 'number') return message(value)
  if (typeof value === 'object' && value?.type === 'error' && 'target' in value) return `socket error ${value.message}`.replace(/:\d{4,5}\b/g, ':port')
  if (value !== null && typeof value === 'object' && ![Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(value))) {
    return value.constructor.name
  }
  return (JSON.stringify(value, (_, v) => typeof v === 'string' && RANDOM.test(v) ? '#' : v) ?? String(value)).replace(/127\.0\.0\.1:\d+/g, 'server')
}

const message = value => `message ${JSON.stringify(Object.fromEntries(
  FIELDS.filter(key => value[key] !== undefined && !(Array.isArray(value[key]) && value[key].length === 0)).map(key => [key, value[key]])
))}`

/** The type of an empty body says nothing. */
export const showAnswer = (status, type, text) => text === '' ? String(status) : [status, type, showBody(type, text)].join(' ')

/**
 * The body of an HTTP answer, without what docs/compatibility.md says differs everywhere: the reason why a command or
 * body is bad, and `errorEventName`. The order of the fields of a slot has no meaning, that of data has.
 */
function showBody (type, text) {
  if (!type.startsWith('application/json')) return text.replace(/(?<=^Failed to parse JIF object at index \d+\.).*/, '').replace(/(?<=^Failed to parse body of request:).*/, '')
  const { body, ...rest } = JSON.parse(text)
  return JSON.stringify({ ...rest, ...(body && { body: body.map(slot) }) })
}

const slot = ({ errorEventName, ...fields }) => Object.fromEntries(Object.entries(fields).sort(([a], [b]) => a < b ? -1 : 1))
