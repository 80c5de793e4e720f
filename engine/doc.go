// Package engine owns the sockets: epoll loops over gnet, one owner loop per connection, the
// WebSocket and HTTP sides of one port, and everything between a socket and a complete message.
//
// A loop is one goroutine. It reads, hands complete messages to its Handler, and collects what is
// to be sent in a list of twelve bytes per delivery at most; at the end of its turn it writes once per
// connection that has something pending. A write costs microseconds whatever calls it, everything
// else here costs nanoseconds: that is why deliveries are gathered.
//
// What lies between a socket and HTTP, a PROXY header or TLS, is the connection's edge; most have none.
// A TLS handshake has a goroutine until it ends, records are the loop's work: see handshake.go and tls.go.
//
// Other goroutines reach a loop only through its mailbox. A connection is named by its ConnID, and
// only the owner loop ever sees its Conn.
//
// Two kinds of connections are not like the others. One with an HTTP request that its head does not answer
// leaves the reactor, to net/http: see handoff.go. A virtual one has a ConnID and no socket: see virtual.go.
//
// # Invariants
//   - Only the owner loop's goroutine touches a Conn or a Loop's own fields. (I1)
//   - gnet is given bytes of a connection only while it holds none: what a slow consumer has not
//     taken waits in a backlog of ours, bounded in bytes. (I2, I3, I4)
//   - Everything read is consumed in the callback; nothing is left with gnet. (I5)
//   - A frame never changes once it was handed in. (I6)
//   - Frames reach a connection in the order they were handed in; mail from one loop to another
//     is first in, first out. (I8)
//   - A loop never waits: no disk, no channel, no lock held across I/O. (I9)
//   - A loop with mail has a turn scheduled. (I10)
//   - TLS seals bytes only when they are written: a backlog holds, and counts, plaintext. What gnet holds
//     of a connection is ciphertext, a little more than one write.
//   - A TLS handshake that waits for its client keeps nobody from having one.
//   - After OnClose a connection is a ConnID that matches nothing. (I11)
//
// The numbers refer to docs/ARCHITECTURE.md, which also lists the properties of gnet that the code
// works around. Build with -tags invariants to have them checked.
//
// Cost: about 25 ns of user time per delivery of a small frame, 0 allocations; about 0.7 KiB per
// idle connection including gnet's own; with TLS about 9 to 11 KiB, nearly all of it in crypto/tls.
// Stability: internal, may change.
package engine
