package record

import "fmt"

// verify checks that all the views of the same facts agree. O(size).
func (h *Home) verify() error {
	var s Stats
	for hash, t := range h.transitions {
		for ; t != nil; t = t.chain {
			s.Transitions++
			s.Saves += t.saving
			if t.dirty {
				s.Unsaved++
			}
			if err := h.verifyTransition(hash, t); err != nil {
				return fmt.Errorf("%q: %w", t.name, err)
			}
			for o := t.first; o != nil; o = o.next {
				s.Queued++
				s.QueuedBytes += o.size()
			}
		}
	}
	open := 0
	for _, a := range h.asks.slots {
		switch a.kind {
		case askLoad, askHeads:
			s.Loads++
			open++
		case askSave:
			open++
		case askNone:
			if a.watched || a.t != nil || a.group != nil {
				return fmt.Errorf("closed ask %x is not empty", a.token)
			}
		}
	}
	s.CacheOnlyBytes = h.stats.CacheOnlyBytes
	s.Refused, s.Timeouts, s.Lost = h.stats.Refused, h.stats.Timeouts, h.stats.Lost
	switch {
	case s != h.stats:
		return fmt.Errorf("stats %+v, counted %+v", h.stats, s)
	case open != len(h.asks.slots)-len(h.asks.free):
		return fmt.Errorf("%d asks open, %d slots, %d free", open, len(h.asks.slots), len(h.asks.free))
	case h.loads.size != s.Loads, h.retries.size > s.Unsaved, h.saves.size > s.Saves:
		return fmt.Errorf("watched: %d loads, %d saves, %d retries", h.loads.size, h.saves.size, h.retries.size)
	}
	for _, w := range []*watch{&h.loads, &h.saves, &h.retries} {
		if w.size > 0 && !w.running {
			return fmt.Errorf("watch %d does not run", w.kind)
		}
	}
	return nil
}

func (h *Home) verifyTransition(hash uint64, t *transition) error {
	writes := 0
	for o := t.first; o != nil; o = o.next {
		if o.kind == opWrite {
			writes++
		}
		if &o.Name[0] != &t.name[0] || o.next == nil && t.last != o {
			return fmt.Errorf("queue is broken")
		}
	}
	e, known := h.cache.Get(t.name)
	switch {
	case t.hash != hash || h.find(t.name) != t:
		return fmt.Errorf("not found by its hash")
	case writes != t.writes:
		return fmt.Errorf("%d writes, counted %d", t.writes, writes)
	case !t.busy() && t.saving == 0 && !t.dirty:
		return fmt.Errorf("nothing is pending")
	case t.pinned != (t.saving > 0 || t.dirty), t.pinned && (!known || !e.Exists):
		return fmt.Errorf("pinned %v with %d saves, dirty %v, known %v", t.pinned, t.saving, t.dirty, known)
	case (t.state == idle || t.state == stuck) != (t.first == nil):
		return fmt.Errorf("state %d and first request %v", t.state, t.first)
	case t.dirty && t.saving == 0 && !t.retry.watched:
		return fmt.Errorf("dirty, but nobody tries again")
	case t.headKnown && t.state == idle:
		return fmt.Errorf("head outlived its use")
	}
	return nil
}
