// Package peer is the other end of a connection for tests: a blocking WebSocket client that speaks
// deepstream messages, which it reads and writes in the text form of protocol.Message.String. Only
// tests import it.
//
// # Invariants
//   - A read waits at most Patience; a server that stays silent fails a test, it does not hang it.
//   - Fence returns only what the server sent before it answered, in the order sent.
//
// Stability: internal, may change.
package peer
