// Package load drives a deepstream server over loopback and counts what comes back. It is the one
// yardstick for every server in package bench: our own, the two C floors, and any other that speaks
// the protocol. It is written against the wire, not against codec, so that a mistake there cannot
// hide itself.
//
// Use: Dial opens one logged-in Conn; DialFleet opens subscribers and publishers of one name, and
// Fleet.Run publishes in one of three shapes:
//
//	saturated   Load{Window: 32}          the window is refilled whenever half of it has landed
//	paced       Load{Window: 1}           the next one when the last has reached everybody
//	fixed rate  Load{Window: 32, Every: 10 * time.Millisecond}
//
// # Invariants
//   - Every subscriber gets every message of every publisher exactly once and in the publisher's
//     order: each payload carries its number, and a number other than the expected one ends the run
//     with an error. A server cannot look faster by dropping.
//   - At most Window messages are on their way to somebody, and Run returns only when none is.
//   - A run ends: it fails after Options.Timeout without progress.
//
// Cost: one goroutine, one epoll set, one read per readable connection; about 15 ns per delivery
// outside the kernel, see BenchmarkCount. Stability: internal, may change.
package load
