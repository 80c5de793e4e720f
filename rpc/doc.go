// Package rpc decides what happens to remote procedure calls: who gets a request, what an answer
// means, when a call is lost. It is a state machine without I/O, clock, goroutine or randomness:
// inputs are the methods of Home, effects go to the Out that its caller provides.
//
// All providers and calls of one name live in one Home, the one of the name's home loop. A Home
// serves many names. The caller has already checked permission, JSON and duplicate PROVIDEs, and
// sends the acks of PROVIDE and UNPROVIDE.
//
//	REQUEST ─► dispatched ─ACCEPT─► accepted ─RESPONSE, REQUEST_ERROR, timeout─► ended
//	             │      ▲               │
//	             │      └──next one─────┤ REJECT
//	             └─ REJECT, close ──────┴─ nobody left: NO_RPC_PROVIDER ─► ended
//
// # Dispatch ids
//
// A provider sees the requestor's correlation id if that is unambiguous there, and a generated one
// otherwise; answers are translated back. An id is taken as long as a call is dispatched under it,
// and stays reserved after a call ended without the provider knowing: until its late terminal
// answer, its close, or RetiredFor. So a late answer never settles somebody else's call. An id is
// unambiguous per provider connection and Home; a provider of names with different homes tells
// equal ids apart by the name, which every answer carries.
//
// # Invariants
//   - A REQUEST earns exactly one terminal message, unless its requestor closes first.
//   - Only the connection a call is dispatched to can move it.
//   - A connection is asked at most once per call.
//   - requestorName and requestorData are the same bytes at every provider that is asked.
//   - Nothing is sent to a connection after Closed, and nothing of it is kept once its Removal is done.
//   - A live call has a response timer, and an ack timer until it is accepted; an ended one has none.
//
// Cost: a call is O(1) whatever the number of providers, and 0 allocations in steady state
// (BenchmarkCall); the k-th re-route of one call skips at most k providers. Memory is bounded by
// Options; provisions are bounded by the subscription limits, whose subset they are.
// Stability: internal, may change.
package rpc
