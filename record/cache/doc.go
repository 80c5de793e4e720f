// Package cache keeps the records of one home loop in memory: names, versions, data, and names
// known to be absent. It is what every read asks first and where every write lands first.
//
//	c := cache.New(cache.Options{BytesMax: 64 << 20})
//	if e, ok := c.Get(name); ok && e.Exists { … e.Data … } // a view; the next change ends it
//	c.Put(name, version, data)                             // a write the store has not confirmed:
//	c.Pin(name)                                            // stays, whatever the budget says,
//	c.Unpin(name)                                          // until it has
//
// A Cache has one owner goroutine and no locks.
//
// # Invariants
//   - A pinned entry is never evicted. Entries that are not pinned leave, the ones nobody used first,
//     until Bytes is within BytesMax; the entry being put is the last to go and not by its own Put.
//     So Bytes exceeds BytesMax only by what is pinned and by that one entry.
//   - Which entries leave depends on the calls made, never on how names hash.
//   - Entries are dense and the pinned ones come first: the clock hand meets only what it may take.
//   - The blocks of a size class are dense: a hole is filled with the last block at once. A block
//     begins with the number of its entry, so that it can move.
//
// # Layout
// An entry is 24 bytes in chunks of 24 KiB. Its name and data share one block in a span of 64 KiB;
// above 16 KiB a block is an allocation of its own. The index is cut into segments which grow and
// shrink each on its own. None of it holds pointers except one per chunk, span, segment or large
// block: the collector skips the rest. Since all is dense, memory goes back as soon as entries do.
// What is held beside Bytes is one part-filled span per class and a few spare ones, 3.2 MiB at most.
//
// Cost: Get, Pin, Unpin O(1); Put, Remove O(bytes), and a Put evicts as many bytes as it brings.
// About 260 bytes for 216 of name and data, 60 for a name of 16 known to be
// absent. Stability: internal, may change.
package cache
