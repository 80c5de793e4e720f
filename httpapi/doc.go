// Package httpapi is the way in for programs without a WebSocket: commands and logins by POST, records by
// GET, over HTTP/1.1. Connections come from the engine, when a request cannot be answered from its head;
// net/http serves them, and session.Node carries the commands out.
//
// # Invariants
//   - A command takes the way of a client's message: it is permitted, judged and answered by the same
//     code. There is no rule of its own here.
//   - Nothing of a request is carried out unless all of it is valid.
//   - Every slot of an answer is filled: by its answer, or by the timeout.
//   - JSON that others sent or stored passes through as it is, undecoded.
//   - What waits here is bounded: connections (by the engine), requests in progress, and the bytes of all
//     bodies, commands and answers together. What one connection sends may be bounded over time. Who meets
//     a bound is told, and counted.
//   - Credentials are not logged, unless the operator asks for failed ones.
//
// Cost: about 60 µs for both ends of a request and 2 µs per command, against 25 µs for a WebSocket message
// and its answer; see BenchmarkPost. A goroutine per connection. Decision: docs/adr/0011.
// Source: spec/http-api.md. Stability: internal, may change.
package httpapi
