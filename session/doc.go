// Package session is the life of a connection above its frames: challenge, login, the routing of
// its messages to the topics, and its end. It is where the drivers (engine, store, auth) and the topics
// (record, event, rpc, presence, listen) meet, and where permission is asked: see gate.go.
//
// A Node is shared; each engine loop has one Loop, which owns the sessions of its connections, that
// loop's half of the registry, and the homes of a share of the names: a name has one home loop,
// and everything that needs a single judge for it (records, RPC calls, pattern listening) happens there.
// Presence has its home on loop 0.
//
// Messages of users without a connection, over HTTP for example, come in by Node.Do: see door.go.
//
// # Invariants
//   - A session is touched by its connection's loop only, a home by its own loop only.
//   - Messages of one connection take effect in the order they arrived.
//   - Before a login nothing but a login takes effect, and a foreign message does not close the
//     connection: official clients send some.
//   - Work done for another loop is copied first: a view into a read buffer never leaves its loop.
//   - No update of a record is dropped. Who can't be given one is disconnected.
//   - Requests about many names are worked off in slices; what their connection sends on that topic
//     meanwhile waits. What waits has a limit, beyond which the loop does nothing else.
//
// Cost: an event takes about half a microsecond from the decoded message to the frame in the list of its
// loop, with 0 allocs; see BenchmarkEmit. A connection takes 48 bytes here.
// Source: spec/connection.md, spec/wire.md. Stability: internal, may change.
package session
