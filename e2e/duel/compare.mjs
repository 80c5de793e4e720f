// What two runs of a script have not in common, and which of it is expected.

/** Differences by step and client: the lines that only one side has, or `order` if they only come in another one. */
export function differences (official, ours) {
  const found = []
  for (let i = 0; i < Math.max(official.length, ours.length); i++) {
    const [a, b] = [official[i], ours[i]]
    const dead = [a, b].some(step => step === undefined || step.heard.has('server')) // nothing else is comparable then
    const who = dead ? ['server'] : new Set([...a.heard.keys(), ...b.heard.keys()])
    for (const client of who) {
      const [theirs, mine] = [tracks(a?.heard.get(client)), tracks(b?.heard.get(client))]
      if (theirs.length === mine.length && theirs.every((line, n) => line === mine[n])) continue
      const [left, right] = [without(theirs, mine), without(mine, theirs)]
      const order = left.length + right.length === 0
      found.push({ step: (a ?? b).title, client, order, official: order ? theirs : left, ours: order ? mine : right })
    }
  }
  return found
}

/** The lines, track after track. */
const tracks = (heard = []) => heard.map(({ line, track }, n) => ({ line, track, n }))
  .sort((a, b) => a.track < b.track ? -1 : a.track > b.track ? 1 : a.n - b.n).map(({ line }) => line)

function without (lines, others) {
  const rest = [...others]
  return lines.filter(line => {
    const at = rest.indexOf(line)
    if (at >= 0) rest.splice(at, 1)
    return at < 0
  })
}

const fits = (pattern, text) => pattern instanceof RegExp ? pattern.test(text) : pattern === text
const covers = (patterns = [], lines) => lines.every(line => patterns.some(pattern => fits(pattern, line)))

/**
 * The entry of `expected` that explains a difference: of its script, and step and client if it names them, and with
 * lines for all that only one side has. `order: true` explains another order of these lines.
 */
export function explanation (expected, script, difference) {
  return expected.find(entry =>
    fits(entry.script, script) &&
    (entry.step === undefined || fits(entry.step, difference.step)) &&
    (entry.client === undefined || fits(entry.client, difference.client)) &&
    (difference.order ? entry.order === true : covers(entry.official, difference.official) && covers(entry.ours, difference.ours)))
}
