// Package async holds the two doors of a store: a bounded queue of writes that its only consumer
// empties in one swap, and a bounded pool of readers. Neither ever makes a caller wait.
//
// # Invariants
//   - What was accepted is handed out exactly once, in order, also after Close.
//   - Bytes in the queue count until Release, thus also while they are being committed.
//
// Cost: a mutex per call; a queue at rest keeps two slices. Stability: internal, may change.
package async
