// Decodes messages with the official decoder: node verify.mjs < LINES. A line is a name, a tab and
// the hex of one delimited message. The vectors go to the standard output (see vector.mjs). A message
// the official decoder refuses, which it reports as PARSER ERROR, ends the run with status 1.
import { createRequire } from 'node:module'
import { readFileSync } from 'node:fs'
import { vector, lines } from './vector.mjs'

const require = createRequire(import.meta.url)
const { parse } = require('@deepstream/protobuf/dist/src/message-parser')
const { TOPIC, PARSER_ACTION } = require('@deepstream/protobuf/dist/types/all')

const vectors = readFileSync(0, 'utf8').split('\n').filter(line => line !== '').map(line => {
  const [name, hex] = line.split('\t')
  const bytes = Buffer.from(hex, 'hex')
  const [message] = parse(bytes)
  if (message.topic === TOPIC.PARSER && message.action === PARSER_ACTION.ERROR) {
    console.error(`${name}: the official decoder refuses ${hex}`)
    process.exitCode = 1
  }
  return vector(name, bytes, message)
})
process.stdout.write(lines(vectors))
