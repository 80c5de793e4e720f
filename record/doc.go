// Package record decides what happens to records: who reads what, which write wins, when a writer
// hears of it, when a record is gone. It is a state machine without I/O, clock, goroutine or
// randomness: inputs are the methods of Home, effects go to the Out that its caller provides.
//
// Every name lives in one Home, the one of the name's home loop, and a Home serves many names. The
// caller has checked the permissions that need no record, subscribes a connection on its own loop
// before it asks the Home, and sends the acks of bulk requests and MULTIPLE_SUBSCRIPTIONS. What a Home
// sends and publishes must reach a loop in the order in which it was decided: then a snapshot is newer
// than everything its subscriber was told before, and the next update is its version plus one.
//
//	request ─► known? ─yes─► decided at once ─► cache ─► Broadcast, answer
//	             │no                     └─────► Save ─► Saved: WRITE_ACKNOWLEDGEMENT
//	             └─► Load; requests of that name queue in order ─► Loaded: decided one by one
//
// # The cache, the store, and what a write means
//
// The cache decides, the store remembers. A write takes effect, and is published, as soon as the cache
// has it; its writer is told that it is kept once the store has said so, each save for itself. An entry
// the store does not have yet is pinned. A save that failed is reported to the writer that asked, is not
// rolled back, and is tried again every SaveRetry, until the store has what the cache has. Names without
// storage, by prefix or because there is none, are pinned as long as they exist.
//
// # Versions, and deletion
//
// A record starts with version 0 when a subscription creates it, with 1 when a write does, and each
// write adds 1. A deletion leaves a tombstone in the store that carries the version of what was deleted;
// to clients the name has version -1 from then on, and a new record of that name starts at 0 or 1
// again. The two do not conflict: the order of saves is that of the calls to Save, all for one name
// come from its Home, and a store that compares does so for equality with the predecessor. The new
// record's predecessor is the tombstone.
//
// A DELETE takes its turn like a write: what came before it takes effect before it, what comes after
// waits for its outcome and finds nothing. So no write is given up because of it.
//
// # Invariants
//   - Requests of one name take effect in the order of the calls, and one write per version wins.
//   - A write that asks for an acknowledgement gets exactly one terminal answer.
//   - Published versions of a name have no gaps while it exists. Data and version go together always.
//   - A name is loaded once, however many wait for it; one in the cache never is. A save in flight, or
//     one to be tried again, keeps its entry pinned.
//   - A transition exists only while its name has something pending; when idle nothing is kept.
//   - Every question to the store ends in its answer or its timeout, and a late answer changes nothing
//     but what is known of the store.
//
// Cost: O(1) plus the bytes of the document; 0 allocations for an update, patch or read of a cached
// record in steady state (BenchmarkUpdate and neighbours). Reads parse nothing. Memory is bounded by
// Options and the cache. Stability: internal, may change.
package record
