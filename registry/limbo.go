package registry

import "sync/atomic"

// loopState is what the rounds know of one loop, on a cache line of its own.
type loopState struct {
	seen   uint64        // owned by the loop: the round at the end of its last tick
	acked  atomic.Uint64 // the last round that contained a whole tick of the loop; 0 before any
	joined atomic.Bool

	_ [64 - 24]byte
}

// reclaimPerTick is how many dead names one tick frees, in a fraction of a millisecond.
const reclaimPerTick = 4 << 10

// WantsRound reports whether dead ids wait for the loops to pass a tick each, or for one of them to free
// their names. While it does, the ticker kicks every loop, idle ones too. Safe from any goroutine.
func (t *Table) WantsRound() bool { return t.limbo.Load() != 0 }

// Quiesce tells that the owner's tick is over: it has posted the mail of this tick, keeps no
// TopicRef and no view outside its mailbox, and has drained all mail that was there when the tick
// began. A tick that left some of it for later must not call Quiesce. It frees some of the names that
// are dead for long enough and reports whether there are more of these.
func (l *Loop) Quiesce() (more bool) {
	if l.table.limbo.Load() == 0 {
		return false
	}
	l.table.quiesce(&l.table.loops[l.index])
	return l.table.reclaim(reclaimPerTick)
}

// reclaim frees up to budget names and reports whether there are more. One loop at a time is enough.
func (t *Table) reclaim(budget int) (more bool) {
	if !t.mu.TryLock() {
		return false
	}
	defer t.mu.Unlock()
	for ; budget > 0 && t.ready != 0; budget-- {
		t.reclaimLocked()
	}
	return t.ready != 0
}

// quiesce acknowledges the current round if the last tick ended within it too, so that the one that
// ends now lies wholly inside, and starts the next round when that was the last acknowledgement.
func (t *Table) quiesce(s *loopState) {
	round := t.round.Load()
	if s.seen != round {
		s.seen = round
		return
	}
	s.acked.Store(round)
	if t.allAcked(round) {
		t.nextRound(round)
	}
}

func (t *Table) allAcked(round uint64) bool {
	for i := range t.loops {
		if s := &t.loops[i]; s.joined.Load() && s.acked.Load() != round {
			return false
		}
	}
	return true
}

// nextRound ends round, and with it the wait of what died two rounds before: all loops have passed a
// tick in each of two rounds since then. The part of the round they died in does not count.
func (t *Table) nextRound(round uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.round.Load() != round || !t.allAcked(round) {
		return
	}
	over := &t.dead[(round+1)%3]
	if over.size != 0 {
		t.record(over.tail).link = t.ready
		t.ready = over.head
		*over = idList{}
	}
	t.round.Store(round + 1)
}

// join makes the rounds wait for loop i. Before its first Find they need not.
func (t *Table) join(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.loops[i].joined.Swap(true) {
		panic("registry: two Loops with one index")
	}
}

// bury puts a dead id into limbo, with its record intact.
func (t *Table) bury(id uint32, r *record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := &t.dead[t.round.Load()%3]
	if list.size == 0 {
		list.tail = id
	}
	r.link, list.head = list.head, id
	list.size++
	t.live[r.space()]--
	t.limbo.Add(1)
}

// newTopic returns an id whose record holds key and a new generation, or false if a limit is
// reached. It reclaims two ids for each it takes, so that names that come and go need no others.
func (t *Table) newTopic(key []byte) (id uint32, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for range 2 {
		t.reclaimLocked()
	}
	class := keyClass(len(key))
	block, ok := t.names.alloc(class)
	if !ok {
		return 0, false
	}
	if id, ok = t.takeIDLocked(); !ok {
		t.names.release(block, class)
		return 0, false
	}
	copy(asBytes(t.names.view(block, class), len(key)), key)
	t.record(id).key.Store(uint64(block)<<32 | uint64(len(key))<<8 | uint64(key[0]))
	t.live[key[0]]++
	return id, true
}

// reclaimLocked frees the name of one id whose wait is over.
func (t *Table) reclaimLocked() {
	id := t.ready
	if id == 0 {
		return
	}
	r := t.record(id)
	t.ready = r.link
	k := r.key.Load()
	t.names.release(uint32(k>>32), keyClass(keySize(k)))
	t.freeIDLocked(id)
	t.limbo.Add(-1)
}
