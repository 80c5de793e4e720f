// Writes a plain object as TOML: one line per top-level key, everything below it inline.

const inline = value => {
  if (Array.isArray(value)) return `[${value.map(inline).join(', ')}]`
  if (value !== null && typeof value === 'object') {
    return `{ ${Object.entries(value).map(([key, v]) => `${key} = ${inline(v)}`).join(', ')} }`
  }
  return JSON.stringify(value) // TOML's basic strings, integers and booleans are spelled as in JSON
}

export const toml = config =>
  Object.entries(config).map(([key, value]) => `${key} = ${inline(value)}\n`).join('')
