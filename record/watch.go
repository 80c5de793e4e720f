package record

import (
	"slices"
	"time"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

type askKind uint8

// What the store was asked.
const (
	askNone askKind = iota // a free slot, or the place of a transition among the retries
	askLoad
	askHeads
	askSave
)

// ask is one question to the store, until its answer or, for loads, its timeout.
type ask struct {
	kind  askKind
	token uint64 // serial and slot

	t     *transition
	group []*transition // of askHeads, in the order of the names

	// Of askSave: who wants to know.
	from          protocol.ConnID
	wantsAck      bool
	tombstone     bool
	overdue       bool // the writer was told that it failed; only the store's state is of interest
	correlationID []byte

	// Place in a watch.
	prev, next *ask
	tick       uint32 // of the watch when it was added
	watched    bool
}

// asks are the questions by token. A slot is used again, a token is not.
type asks struct {
	slots  []*ask
	free   []uint32
	serial uint32
}

func (s *asks) open(kind askKind, t *transition) *ask {
	if len(s.free) == 0 {
		s.free = append(s.free, uint32(len(s.slots)))
		s.slots = append(s.slots, &ask{})
	}
	slot := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	s.serial++
	a := s.slots[slot]
	*a = ask{kind: kind, t: t, token: uint64(s.serial)<<32 | uint64(slot), correlationID: a.correlationID[:0]}
	return a
}

// find returns the ask of that kind that is still open under token, or nil.
func (s *asks) find(token uint64, kind askKind) *ask {
	slot := uint32(token)
	if uint64(slot) >= uint64(len(s.slots)) {
		return nil
	}
	if a := s.slots[slot]; a.kind == kind && a.token == token {
		return a
	}
	return nil
}

func (s *asks) close(a *ask) {
	if invariant.Enabled {
		invariant.Assert(a.kind != askNone && !a.watched, "record: ask %x closed in kind %d", a.token, a.kind)
	}
	a.kind, a.t, a.group = askNone, nil, nil
	if cap(a.correlationID) > keepBytes {
		a.correlationID = nil
	}
	s.free = append(s.free, uint32(a.token))
}

const (
	ticksPerTimeout = 4  // how finely a watch measures
	patience        = 15 // timeouts that an ask may take while others are answered
)

// watch finds the asks that are overdue, oldest first, with one timer for all, which ticks as long as
// there are any. An ask is overdue when nothing was answered for the time of the watch, and at most a quarter
// of that more: a long queue, or a loop that is slow to hear the answers, is no reason to give up. One that is
// passed over by others is overdue after patience times that.
type watch struct {
	kind  uint8
	after time.Duration

	first, last *ask
	tick        uint32
	heard       uint32 // tick of the last answer
	running     bool
	size        int
}

func (w *watch) add(out Out, a *ask) {
	invariant.Assert(!a.watched, "record: ask watched twice")
	a.watched, a.tick = true, w.tick
	a.prev, a.next = w.last, nil
	if w.last != nil {
		w.last.next = a
	} else {
		w.first = a
	}
	w.last = a
	w.size++
	w.start(out)
}

func (w *watch) start(out Out) {
	if !w.running {
		w.running = true
		out.StartTimer(w.after/ticksPerTimeout, w.kind)
	}
}

// answer removes an ask that was answered.
func (w *watch) answer(a *ask) {
	w.heard = w.tick
	w.remove(a)
}

func (w *watch) remove(a *ask) {
	if !a.watched {
		return
	}
	a.watched = false
	w.size--
	if a.prev != nil {
		a.prev.next = a.next
	} else {
		w.first = a.next
	}
	if a.next != nil {
		a.next.prev = a.prev
	} else {
		w.last = a.prev
	}
	a.prev, a.next = nil, nil
}

// fired takes the timer, and removes and hands over what is overdue.
func (w *watch) fired(out Out, overdue func(*ask)) {
	w.running = false
	w.tick++
	for a := w.first; a != nil && w.overdue(a); a = w.first {
		w.remove(a)
		overdue(a)
	}
	if w.first != nil {
		w.start(out)
	}
}

func (w *watch) overdue(a *ask) bool {
	return w.tick-max(a.tick, w.heard) > ticksPerTimeout || w.tick-a.tick > patience*ticksPerTimeout
}

// keepBytes is the largest buffer a pooled object keeps.
const keepBytes = 4 << 10

// drop empties a scratch list whose elements must not be kept alive.
func drop[E any](s []E) []E {
	clear(s)
	if cap(s) > keepBytes {
		return nil
	}
	return s[:0]
}

// copyInto returns b in buf's memory, and nil for nil.
func copyInto(buf *[]byte, b []byte) []byte {
	if b == nil {
		return nil
	}
	from := len(*buf)
	*buf = append(*buf, b...)
	return slices.Clip((*buf)[from:])
}
