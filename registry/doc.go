// Package registry answers one question quickly: which connections subscribe to this name?
//
// It has two halves. One Table per process interns names: it maps a key to a TopicRef and to the
// mask of the loops that have subscribers, and is read without locks. One Loop per event loop knows
// its own connections' subscriptions; it has one owner goroutine and no locks at all.
//
//	t := registry.NewTable(registry.Options{Loops: n})
//	l := registry.NewLoop(t, index)         // on, or before, the owner goroutine
//	res, err := l.Subscribe(slot, key)      // res.Edge: the loop's first subscriber
//	ref, mask, ok := t.Find(key)            // from any loop; then per bit of mask, on that loop:
//	for _, slot := range l.Subscribers(ref) { … }
//	l.Quiesce()                             // at the end of every tick
//
// A key is a byte that selects the name space (event, record, RPC, …) and the name.
//
// # Invariants
//   - A bit of a topic's mask is set exactly while that loop has a subscriber of the topic.
//   - A connection is in the list of a topic at most once. Its table holds the topic together with
//     its position in that list; nothing else points back, so that a table can move its entries.
//   - An id whose mask became 0 is reused, with its name's memory, only after every loop has run two
//     whole ticks that began after the release: the first posts what was found before, the second
//     drains it. Until then key and record stay readable.
//   - What a table or an arena has room for beyond a multiple of its contents is given back: by the
//     removal that makes it sparse, or, for names and ids, by the tick that reclaims them. Readers keep
//     what they loaded, the collector frees it behind them.
//   - A TopicRef is good until the end of the tick it was found or received in. An older one matches
//     nothing: its generation has passed.
//
// # Layout
// Whatever exists once per topic or per subscription holds no pointers and lives in arenas of 64 KiB
// spans, in chunks or in small hash segments. The collector skips all of it, and growth copies at
// most one segment, one connection's table or one topic's list. Locks, outer to inner: a shard's mu,
// then the Table's mu. Neither is held across a callback.
//
// Cost: Find, Subscribe, Unsubscribe O(1); Subscribers O(1) and a dense view; growing or shrinking the
// list or table of n entries O(n), which n changes pay. About 100 bytes a subscription to a topic of its
// own, 20 to a shared one. Stability: internal, may change.
package registry
