// Waiting without sleeping: poll a condition until it holds, or show that it stays false for a short window.

import { setTimeout as pause } from 'node:timers/promises'

export const DEADLINE = 8_000 // ms; far above any expected duration, so only a hang reaches it
export const WINDOW = 150 // ms an absence is watched for
const STEP = 5 // ms between two looks

/** Resolves with the first truthy result of `probe`; rejects with its last failure after `deadline` ms. */
export async function eventually (what, probe, deadline = DEADLINE) {
  const end = Date.now() + deadline
  for (let last; ;) {
    try {
      const result = await probe()
      if (result) return result
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}`, { cause: last })
    await pause(STEP)
  }
}

/** Rejects as soon as `probe` turns truthy inside `window` ms. */
export async function never (what, probe, window = WINDOW) {
  for (const end = Date.now() + window; Date.now() < end; await pause(STEP)) {
    if (await probe()) throw new Error(`must not happen: ${what}`)
  }
}

/** Rejects if `promise` has not settled after `deadline` ms. */
export async function within (what, promise, deadline = DEADLINE) {
  const timer = new AbortController()
  const late = pause(deadline, undefined, { signal: timer.signal })
    .then(() => { throw new Error(`not within ${deadline} ms: ${what}`) })
  late.catch(() => {}) // aborted in the good case
  try {
    return await Promise.race([promise, late])
  } finally {
    timer.abort()
  }
}
