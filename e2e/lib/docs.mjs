// Pages of documentation whose commands are run as they stand.

import { readFile } from 'node:fs/promises'

const BLOCKS = /```sh\n((?:(?!```)[^])*)```\n\n```(?:json|text)\n((?:(?!```)[^])*)```/g

/** The commands of a page that have their output behind them: `{ command, output }` each. `path` starts at the root. */
export async function examples (path) {
  const page = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
  return [...page.matchAll(BLOCKS)].map(([, command, output]) => ({ command, output }))
}
