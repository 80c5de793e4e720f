package record

import (
	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

type opKind uint8

const (
	opRead opKind = iota
	opHead
	opHeads // a name of SUBSCRIBEANDHEAD
	opInspect
	opSubscribe
	opWrite
	opDelete
	opNotify
)

// op is one request for one name, with views of the message until it is queued.
type op struct {
	kind opKind
	Write

	// Of a write, set by normalise.
	verb    protocol.Action // UPDATE, PATCH or PATCH_MULTI
	upsert  bool
	invalid protocol.Action // 0, or why no record could take it

	fresh    bool // of opSubscribe
	reloaded bool // of opNotify
	inspect  func(Snapshot)
	notice   *notice

	next *op    // in the queue of a transition
	buf  []byte // owns the bytes of a queued op, its name excepted
}

// notice is a NOTIFY whose names are being seen to.
type notice struct {
	token uint64
	left  int
}

// size returns what a queued op counts for.
func (o *op) size() int { return opBytes + len(o.CorrelationID) + len(o.Path) + len(o.Data) }

// opBytes is about the size of an op.
const opBytes = 320

// poolMax bounds the idle objects kept of each kind.
const poolMax = 1024

// enqueue copies o to the end of its name's queue and returns the transition, or answers it and
// returns nil if a limit forbids that.
func (h *Home) enqueue(o *op) *transition {
	t := h.find(o.Name)
	if !h.hasRoom(t, o) {
		h.stats.Refused++
		h.fail(o, protocol.RecordLoadError)
		return nil
	}
	if t == nil {
		t = h.open(o.Name)
	}
	q := h.newOp()
	buf := q.buf[:0]
	*q = *o
	q.Name, q.next = t.name, nil
	q.CorrelationID, q.Path, q.Data = nil, nil, nil
	if need := len(o.CorrelationID) + len(o.Path) + len(o.Data); need > cap(buf) {
		buf = make([]byte, 0, need)
	}
	q.CorrelationID, q.Path, q.Data = copyInto(&buf, o.CorrelationID), copyInto(&buf, o.Path), copyInto(&buf, o.Data)
	q.buf = buf
	if t.last != nil {
		t.last.next = q
	} else {
		t.first = q
	}
	t.last = q
	h.count(t, q, 1)
	return t
}

// hasRoom reports whether the limits and the state of t, which may be nil, let o wait.
func (h *Home) hasRoom(t *transition, o *op) bool {
	switch {
	case len(o.Name) == 0 || len(o.Name) > NameBytesMax:
		return false
	case t != nil && (t.state == stuck || o.kind == opWrite && t.writes >= h.opts.WritesPerRecordMax):
		return false
	}
	return h.stats.Queued < h.opts.QueueMax && h.stats.QueuedBytes+o.size() <= h.opts.QueueBytesMax
}

// dequeue removes the first op of t's queue, whose bytes die.
func (h *Home) dequeue(t *transition) {
	o := t.first
	if t.first = o.next; t.first == nil {
		t.last = nil
	}
	h.count(t, o, -1)
	buf := o.buf
	if invariant.Enabled {
		invariant.Poison(buf)
	}
	if cap(buf) > keepBytes {
		buf = nil
	}
	if *o = (op{buf: buf}); len(h.opPool) < poolMax {
		h.opPool = append(h.opPool, o)
	}
}

func (h *Home) count(t *transition, o *op, by int) {
	h.stats.Queued += by
	h.stats.QueuedBytes += by * o.size()
	if o.kind == opWrite {
		t.writes += by
	}
}

func (h *Home) newOp() *op {
	n := len(h.opPool)
	if n == 0 {
		return &op{}
	}
	o := h.opPool[n-1]
	h.opPool = h.opPool[:n-1]
	return o
}
