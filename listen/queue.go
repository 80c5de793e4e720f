package listen

// A search has to test every pattern, and patterns and names are the clients' to choose. So what a Home
// does between two calls of Turn has a limit, and what is beyond it waits in a queue. Its entries are
// names, whose state is up to date: reports, answers and removals change a queued name at once, only
// the search comes later. So nothing in the queue can be lost, repeated or overtaken; a name whose
// last subscriber leaves leaves the queue; and the queue is no longer than the list of names.

// TurnBudget is what a Home does between two calls of Turn: 2 ms at most, and one test beyond. The unit
// is an instruction of a regular expression applied to a byte.
const TurnBudget = 200_000

// Costs of what is not a test.
const (
	costSearch   = 20  // beside the tests
	costListener = 1   // looked at to find the next candidate
	costAsk      = 100 // a message, a timer, a record
)

const keptMatchesMax = 1024 // room for matches that is kept for the next scan

// queue is a list of names through their prev and next.
type queue struct {
	first, last uint32
	size        int
}

// scan is how far the patterns have been tested against one name. Entries removed meanwhile stay among
// the matches, without listeners; those added come behind.
type scan struct {
	at      int // entries[:at] have been tested
	matches []*entry
}

func (s *scan) reset() {
	clear(s.matches)
	s.matches = s.matches[:0]
	if cap(s.matches) > keptMatchesMax {
		s.matches = nil
	}
	s.at = 0
}

// Turn grants a new budget, works off what waits, in order, and reports whether some still does. It
// is to be called once per turn of the loop, and again soon if it reported true.
func (h *Home) Turn() (more bool) {
	h.budget = h.perTurn
	h.work()
	return h.queue.size > 0
}

// Waiting reports whether something waits for a Turn.
func (h *Home) Waiting() bool { return h.queue.size > 0 }

// work asks the next candidates of queued names, or ends their searches, as far as the budget goes.
func (h *Home) work() {
	for h.queue.size > 0 {
		id := h.queue.first
		n := h.names.at(id)
		if !h.advanceScan(h.textOf(n)) {
			return
		}
		l := h.endScan(h.searches.at(n.search))
		h.dequeue(id)
		if l != nil {
			h.ask(id, l)
		} else {
			h.fail(id)
		}
	}
}

// fail ends a search without a candidate. A name that nobody was asked for matches nothing any more.
func (h *Home) fail(id uint32) {
	n := h.names.at(id)
	untold := h.searches.at(n.search).cursor == 0
	h.endSearch(n)
	if untold {
		h.drop(id)
		return
	}
	n.retryAt = h.tick() + uint32(h.opts.MatchCooldown/tickLength)
}

// advanceScan tests the remaining patterns against text and reports whether that was all; if not, the
// budget is used up. Hot path for names that match nothing: 0 allocs, see BenchmarkFirstSubscriber.
func (h *Home) advanceScan(text []byte) (done bool) {
	if h.budget <= 0 && h.scan.at < len(h.entries) {
		return false
	}
	var units []byte
	units, h.units = unitForm(h.units, text)
	for h.scan.at < len(h.entries) {
		if h.budget <= 0 {
			return false
		}
		e := h.entries[h.scan.at]
		h.scan.at++
		ok, cost := e.pattern.test(units)
		if ok {
			h.scan.matches = append(h.scan.matches, e)
		}
		h.budget -= cost
	}
	return true
}

// endScan returns the listener that follows the cursor of s among those whose pattern matches, or nil.
func (h *Home) endScan(s *search) (best *listener) {
	bestRank := ^uint64(0)
	for _, e := range h.scan.matches {
		for l := e.first; l != nil; l = l.next {
			if r := s.rank(l); r > s.cursor && r < bestRank {
				best, bestRank = l, r
			}
			h.budget -= costListener
		}
	}
	h.budget -= costSearch
	if best != nil {
		h.budget -= costAsk
	}
	h.scan.reset()
	return best
}

// enqueue puts a name that has a search and no holder at the end of the queue.
func (h *Home) enqueue(id uint32) {
	n := h.names.at(id)
	n.prev, n.next = h.queue.last, 0
	if h.queue.last != 0 {
		h.names.at(h.queue.last).next = id
	} else {
		h.queue.first = id
	}
	h.queue.last = id
	h.queue.size++
}

// dequeue takes a name out of the queue, and gives up its scan if that has begun.
func (h *Home) dequeue(id uint32) {
	n := h.names.at(id)
	if n.prev != 0 {
		h.names.at(n.prev).next = n.next
	} else {
		h.queue.first = n.next
		h.scan.reset()
	}
	if n.next != 0 {
		h.names.at(n.next).prev = n.prev
	} else {
		h.queue.last = n.prev
	}
	n.prev, n.next = 0, 0
	h.queue.size--
}
