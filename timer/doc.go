// Package timer is a hashed timing wheel for the many coarse timeouts of one loop: pings, requests,
// acknowledgements. Time is an argument: the wheel reads no clock and starts no goroutine, so that
// what uses it can be replayed.
//
//	w := timer.New(timer.Options{})
//	w.Start(now)
//	id := w.Add(now+10*time.Second, kindPing, uint64(slot))
//	w.Advance(later, func(kind uint8, key uint64) { … })
//
// # Invariants
//   - No entry fires before the time it was added for. It fires in the first Advance whose time lies
//     one tick or more behind it, at the latest.
//   - One Advance fires in order of expiry tick, entries of one tick in the order of their Add.
//   - An entry fires once or is cancelled once. Its ID then matches nothing any more: a stale Cancel
//     is harmless until one node was reused 2^24 times.
//   - Entries further away than one turn stay in their slot; there is no cascade.
//
// A Wheel belongs to one goroutine. The slab holds no pointers, and the collector skips it.
//
// Cost: Add and Cancel O(1), 24 bytes an entry, 0 allocs once the slab has its size; an empty tick
// is one load. Advance visits every slot it passes; after a stall longer than a turn it visits each
// slot once and sorts what is due. Stability: internal, may change.
package timer
