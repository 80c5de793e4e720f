// The form of a vector file: a JSON array, one line per vector, so that a diff shows what changed.
//
// A vector is { name, hex, message }: hex is the whole delimited message, message is what the
// official encoder was given or the official decoder returned, with three differences: versions are
// a list, since their order is on the wire; text that is long is { repeat, times }; text that is not
// well-formed Unicode is { hex }, its code units one by one in UTF-8.

// hexOf encodes each unpaired surrogate as three bytes, as the official encoder does with short text.
function hexOf (s) {
  const bytes = []
  for (const char of s) {
    const c = char.codePointAt(0)
    if (c >= 0xd800 && c <= 0xdfff) {
      bytes.push(0xe0 | c >> 12, 0x80 | c >> 6 & 0x3f, 0x80 | c & 0x3f)
    } else {
      bytes.push(...Buffer.from(char))
    }
  }
  return Buffer.from(bytes).toString('hex')
}

function text (s) {
  if (!s.isWellFormed()) return { hex: hexOf(s) }
  if (s.length > 100 && s === s[0].repeat(s.length)) return { repeat: s[0], times: s.length }
  return s
}

function value (key, v) {
  if (key === 'versions') return Object.entries(v).map(([name, version]) => ({ name: text(name), version }))
  if (Array.isArray(v)) return v.map(text)
  return typeof v === 'string' ? text(v) : v
}

export function vector (name, bytes, message) {
  const fields = Object.entries(message).filter(([, v]) => v !== undefined).map(([k, v]) => [k, value(k, v)])
  return { name, hex: Buffer.from(bytes).toString('hex'), message: Object.fromEntries(fields) }
}

export function lines (vectors) {
  return '[\n' + vectors.map(v => JSON.stringify(v)).join(',\n') + '\n]\n'
}
