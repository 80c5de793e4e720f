package registry

import (
	"hash/maphash"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// Loop is the subscriptions of the connections of one event loop. All of it is owned by that loop's
// goroutine; slots are the caller's, below protocol.SlotsMax.
type Loop struct {
	table *Table
	index int
	bit   uint64

	topics topicMap
	conns  []*[chunkConns]conn
	arena  arena // topics' lists, connections' tables
	size   int
	spaces [256]uint32 // of size, by name space
}

// Result is what one change did.
type Result struct {
	Ref     TopicRef
	Changed bool // false: the connection was subscribed already, or was not
	Edge    bool // the loop's first subscriber of the topic came, or its last one left
}

// NewLoop returns the loop of index, 0 to Options.Loops-1. From now on dead ids wait for its ticks.
// It panics if there is one of that index already.
func NewLoop(t *Table, index int) *Loop {
	t.join(index)
	l := &Loop{table: t, index: index, bit: 1 << index}
	l.topics.seed = maphash.Bytes(maphash.MakeSeed(), nil)
	l.arena.init()
	return l
}

// Len returns the number of subscriptions.
func (l *Loop) Len() int { return l.size }

// LenOf returns the number of subscriptions to names of one name space.
func (l *Loop) LenOf(space byte) int { return int(l.spaces[space]) }

// Count returns the number of subscriptions of the connection in slot.
func (l *Loop) Count(slot uint32) int {
	if c := l.conn(slot); c != nil {
		return int(c.size)
	}
	return 0
}

// Subscribe adds the connection in slot to the topic of key, which is copied if it is new. The
// errors are ErrKey and ErrFull; nothing is changed then.
// Hot path: 0 allocs in steady state, see BenchmarkSubscribe.
func (l *Loop) Subscribe(slot uint32, key []byte) (Result, error) {
	if len(key) == 0 || len(key) > KeyBytesMax {
		return Result{}, ErrKey
	}
	if slot >= protocol.SlotsMax {
		return Result{}, ErrFull
	}
	c := l.openConn(slot)
	c.assertOpen(slot)
	ref, p := l.local(key)
	if p != nil && l.has(c, ref.ID) {
		return Result{Ref: ref}, nil
	}
	if !l.reserve(c) {
		return Result{}, ErrFull
	}
	pos := 0
	if p != nil {
		pos = p.size()
		if !l.push(p, slot) {
			l.unreserve(c)
			return Result{}, ErrFull
		}
	} else {
		var err error
		if ref, err = l.table.acquire(key, l.bit); err != nil {
			l.unreserve(c)
			return Result{}, err
		}
		l.topics.insert(ref.ID, slot)
	}
	put(l.arena.view(c.block, c.class), entry(ref.ID)<<32|entry(pos), l.topics.seed)
	c.size++
	l.size++
	l.spaces[key[0]]++
	return Result{Ref: ref, Changed: true, Edge: p == nil}, nil
}

// Unsubscribe removes the connection in slot from the topic of key.
// Hot path: 0 allocs, see BenchmarkUnsubscribeSubscribe.
func (l *Loop) Unsubscribe(slot uint32, key []byte) Result {
	ref, p := l.local(key)
	c := l.conn(slot)
	if p == nil || c == nil {
		return Result{Ref: ref}
	}
	c.assertOpen(slot)
	table := l.tableOf(c)
	i := find(table, ref.ID, l.topics.seed)
	if i < 0 {
		return Result{Ref: ref}
	}
	pos := uint32(table[i])
	l.dropEntry(c, i)
	return Result{Ref: ref, Changed: true, Edge: l.leave(p, pos)}
}

// Subscribed reports whether the connection in slot is subscribed to the topic of key.
func (l *Loop) Subscribed(slot uint32, key []byte) bool {
	ref, p := l.local(key)
	c := l.conn(slot)
	return p != nil && c != nil && l.has(c, ref.ID)
}

// Topics appends what the connection in slot is subscribed to, in no order, to dst.
func (l *Loop) Topics(dst []TopicRef, slot uint32) []TopicRef {
	c := l.conn(slot)
	if c == nil || c.closing {
		return dst
	}
	for _, e := range l.tableOf(c) {
		if e != 0 {
			id := uint32(e >> 32)
			dst = append(dst, TopicRef{id, l.table.record(id).gen.Load()})
		}
	}
	return dst
}

// Subscribers returns the slots of the connections that are subscribed to ref, in no order. The view
// is valid until the next change. A ref out of date has none.
// Hot path: 0 allocs, see BenchmarkPublish.
func (l *Loop) Subscribers(ref TopicRef) []uint32 {
	p := l.topics.find(ref.ID)
	if p == nil || l.table.record(ref.ID).gen.Load() != ref.Gen {
		return nil
	}
	return l.list(p)
}

// RemoveConn ends up to budget subscriptions of the connection in slot and reports whether it has
// more. Call it, in as many ticks as it takes, until it has not; only then may the slot be used
// again. Meanwhile the connection still stands in the lists of the rest. each hears of every
// subscription that ended, edge as in Result; it must not change the registry.
func (l *Loop) RemoveConn(slot uint32, budget int, each func(ref TopicRef, key []byte, edge bool)) (more bool) {
	c := l.conn(slot)
	if c == nil || c.size == 0 {
		return false
	}
	table := l.tableOf(c)
	if !c.closing {
		c.closing = true
		c.cursor = chainEnd(table)
	}
	for budget = max(budget, 1); budget > 0 && c.size > 0; budget-- {
		e := popEntry(table, &c.cursor)
		c.size--
		id := uint32(e >> 32)
		r := l.table.record(id)
		ref := TopicRef{id, r.gen.Load()}
		edge := l.leave(l.topics.find(id), uint32(e))
		if each != nil {
			each(ref, l.table.keyOf(r), edge)
		}
	}
	if c.size > 0 {
		return true
	}
	l.arena.release(c.block, c.class)
	*c = conn{}
	return false
}

// chainEnd returns an empty place of a hash table, or 0: nothing in a bag depends on a place.
func chainEnd(table []entry) uint32 {
	if len(table) > bagWords {
		for i, e := range table {
			if e == 0 {
				return uint32(i)
			}
		}
	}
	return 0
}

// popEntry clears the first entry found going down from cursor. Going down from an empty place, only
// ends of probe chains are cut off: what is left can still be found, which moves in lists need.
func popEntry(table []entry, cursor *uint32) (e entry) {
	for e == 0 {
		if *cursor == 0 {
			*cursor = uint32(len(table))
		}
		*cursor--
		e = table[*cursor]
	}
	table[*cursor] = 0
	return e
}

// local returns the topic of key if it has subscribers on this loop.
func (l *Loop) local(key []byte) (TopicRef, *topic) {
	ref, mask, ok := l.table.Find(key)
	if !ok || mask&l.bit == 0 {
		return ref, nil
	}
	return ref, l.topics.find(ref.ID)
}

func (l *Loop) has(c *conn, id uint32) bool { return find(l.tableOf(c), id, l.topics.seed) >= 0 }

// unreserve undoes reserve for a connection without subscriptions.
func (l *Loop) unreserve(c *conn) {
	if c.size == 0 {
		l.arena.release(c.block, c.class)
	}
}

// list returns the slots of p.
func (l *Loop) list(p *topic) []uint32 {
	if p.size() == 1 {
		return p.list[:]
	}
	return asSlots(l.arena.view(p.list[0], p.class()))[:p.size()]
}

// push appends slot to the list of p and reports whether there was room or memory.
func (l *Loop) push(p *topic, slot uint32) bool {
	size := p.size()
	if size == p.capacity() {
		class := uint8(0)
		if size > 1 {
			class = p.class() + 2
		}
		if !l.relist(p, class) {
			return false
		}
	}
	p.shape++
	l.list(p)[size] = slot
	return true
}

// relist moves the list of p, of any size, to a block of class.
func (l *Loop) relist(p *topic, class uint8) bool {
	block, ok := l.arena.alloc(class)
	if !ok {
		return false
	}
	copy(asSlots(l.arena.view(block, class)), l.list(p))
	if p.size() > 1 {
		l.arena.release(p.list[0], p.class())
	}
	p.list[0] = block
	p.shape = uint32(class)<<listBits | uint32(p.size())
	return true
}

// leave takes position pos out of the list of p: the last slot moves there, and its connection is
// told. It reports whether the list is empty now, and p with it gone.
func (l *Loop) leave(p *topic, pos uint32) (edge bool) {
	l.size--
	l.spaces[l.table.record(p.id).space()]--
	if p.size() == 1 {
		id := p.id
		l.topics.remove(id)
		l.table.release(id, l.bit)
		return true
	}
	list := l.list(p)
	last := len(list) - 1
	if moved := list[last]; int(pos) != last {
		list[pos] = moved
		l.reposition(moved, p.id, pos)
	}
	l.shorten(p, list[:last])
	return false
}

// reposition tells the connection in slot its new place in the list of a topic.
func (l *Loop) reposition(slot, id, pos uint32) {
	table := l.tableOf(l.conn(slot))
	i := find(table, id, l.topics.seed)
	if invariant.Enabled {
		invariant.Assert(i >= 0, "registry: slot %d is in the list of topic %d, which it does not know", slot, id)
	}
	table[i] = entry(id)<<32 | entry(pos)
}

// shorten makes list, the beginning of the list of p, all of it, and moves it to a smaller block
// when three quarters are unused.
func (l *Loop) shorten(p *topic, list []uint32) {
	if len(list) == 1 {
		block, class := p.list[0], p.class()
		p.list[0], p.shape = list[0], 1
		l.arena.release(block, class)
		return
	}
	p.shape--
	if class := p.class(); class >= 8 && len(list)*4 <= p.capacity() {
		l.relist(p, class-4) // a full arena only means that it stays as it is
	}
}
