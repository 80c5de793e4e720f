// Package load drives a deepstream server over loopback and counts what comes back. It is the one
// yardstick for every server in package bench: our own, the two C floors, and any other that speaks
// the protocol. It is written against the wire, not against codec, so that a mistake there cannot
// hide itself.
//
// Use: Dial opens one logged-in Conn; DialFleet opens subscribers and publishers of one name, and
// Fleet.Run publishes in one of three shapes:
//
//	saturated   Load{Window: 256}                      as many in flight as the window allows
//	paced       Load{Window: 1}                        the next one when the last has reached everybody
//	fixed rate  Load{Window: 256, Every: time.Second / 200}
//
// # Invariants
//   - Every subscriber gets every message of every publisher exactly once and in the publisher's
//     order: each payload carries its number, and a number other than the expected one ends the run
//     with an error. A server cannot look faster by dropping.
//   - At most Window messages are on their way to somebody, and Run returns only when none is.
//   - A run ends: it fails after Options.Timeout without progress.
//
// Cost: one goroutine, one epoll set, one read per readable connection; about 20 ns per delivery
// outside the kernel. Stability: internal, may change.
package load
