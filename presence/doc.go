// Package presence knows which users are online: those with at least one authenticated connection.
// It is a state machine without I/O: inputs are the methods of Directory, effects go to the Out that
// its caller provides. One Directory serves the whole node, on one loop.
//
// Who subscribes to whom is the registry's business, and so is the fan-out of an announcement: to
// the subscribers of all users first (JOIN_ALL, LEAVE_ALL), then to those of this one (JOIN, LEAVE).
// The caller has checked permission and passes only the names that may be asked for. At login it
// queues AUTH_SUCCESSFUL before it calls Login; at logout it removes the connection's subscriptions
// before it calls Logout, so that nobody hears of their own leaving.
//
// # Invariants
//   - A user is announced when the first of its connections logs in and when the last one logs out,
//     and at no other time.
//   - ids and counts are parallel, and pos[id] is the place of id in both.
//   - The user OPEN is never online.
//
// Cost: Login, Logout O(1); QueryAll O(1) besides sending; Query O(names). A user takes its id once,
// plus about 70 bytes. Users are bounded by connections; an answer by the request: a name of n
// bytes becomes at most 6n+9.
// Stability: internal, may change.
package presence
