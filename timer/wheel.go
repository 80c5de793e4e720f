package timer

import (
	"fmt"
	"slices"
	"time"

	"deepstream-fast/internal/invariant"
)

// Limits of a Wheel.
const (
	// EntriesMax is the largest number of pending entries: 1.6 GB of slab.
	EntriesMax = 1 << 26
	// TicksMax is the furthest an entry may lie ahead, in ticks: two years at the default tick.
	TicksMax = 1 << 30
	// SlotsMax is the largest number of slots.
	SlotsMax = 1 << 20
)

// Options are the dimensions of a Wheel. The zero value means the defaults.
type Options struct {
	// Slots is the number of ticks in one turn, a power of two. 0 means 4096: with the default tick
	// a turn takes 262 s, longer than any timeout of the protocol.
	Slots int
	// TickDuration is the resolution. 0 means 64 ms.
	TickDuration time.Duration
}

// Validate returns an error that names the first field out of its range.
func (o Options) Validate() error {
	if o.Slots < 0 || o.Slots > SlotsMax || o.Slots&(o.Slots-1) != 0 {
		return fmt.Errorf("timer: slots %d: not a power of two up to %d", o.Slots, SlotsMax)
	}
	if o.TickDuration < 0 {
		return fmt.Errorf("timer: tickDuration %v: negative", o.TickDuration)
	}
	return nil
}

// ID names one pending entry: 32 bits of generation over 32 bits of place. 0 names none.
type ID uint64

// node is one entry, or the sentinel of a circular list: nodes 0 to slots-1 head the slots, the
// next one heads the list of what is due, and 24 bytes each make 42 entries a KiB.
type node struct {
	key        uint64
	next, prev uint32
	expire     uint32 // low bits of the expiry tick; compare by difference
	genKind    uint32 // 24 bits of generation over 8 bits of kind
}

const (
	chunkNodes = 4096 // the slab grows by 96 KiB at a time, without copying
	genBits    = 24
)

// Wheel holds entries until their time has come. All of it is owned by one goroutine.
type Wheel struct {
	// Set by New and Start, then constant.
	tick  time.Duration
	start time.Duration
	slots uint32 // a power of two; also the index of the due list's sentinel

	now    uint64 // ticks since start; every entry in a slot expires later
	chunks []*[chunkNodes]node
	used   uint32 // nodes ever taken from the slab, sentinels included
	free   uint32 // list through next of nodes to reuse; 0 ends it
	count  int
}

// New returns a wheel at time 0. It panics if opts is not valid.
func New(opts Options) *Wheel {
	if err := opts.Validate(); err != nil {
		panic(err)
	}
	if opts.Slots == 0 {
		opts.Slots = 4096
	}
	if opts.TickDuration == 0 {
		opts.TickDuration = 64 * time.Millisecond
	}
	w := &Wheel{tick: opts.TickDuration, slots: uint32(opts.Slots)}
	for i := range w.slots + 1 {
		w.take()
		*w.node(i) = node{next: i, prev: i}
	}
	return w
}

// Start sets the time to now, a duration since an epoch of the caller's choice that all times given
// to the wheel refer to. Call it before the first Add.
func (w *Wheel) Start(now time.Duration) {
	invariant.Assert(w.count == 0, "timer: Start with %d entries pending", w.count)
	w.start, w.now = now, 0
}

// Len returns the number of pending entries.
func (w *Wheel) Len() int { return w.count }

// Add makes the Advance that reaches time at fire kind and key. A time that has passed means the
// next tick. It returns 0, and adds nothing, if EntriesMax are pending or at is TicksMax ticks ahead.
// Hot path: 0 allocs, see BenchmarkAdd.
func (w *Wheel) Add(at time.Duration, kind uint8, key uint64) ID {
	expire := w.now + 1
	if at > w.start {
		// Rounded up: a tick is over only when all of it has passed.
		expire = max(expire, (uint64(at-w.start)+uint64(w.tick)-1)/uint64(w.tick))
	}
	if w.count == EntriesMax || expire-w.now > TicksMax {
		return 0
	}
	i := w.take()
	n := w.node(i)
	gen := n.genKind >> 8
	n.key, n.expire, n.genKind = key, uint32(expire), gen<<8|uint32(kind)
	w.link(uint32(expire)&(w.slots-1), i, n)
	w.count++
	return ID(gen)<<32 | ID(i)
}

// Cancel removes the entry and reports whether it was still pending.
func (w *Wheel) Cancel(id ID) bool {
	i := uint32(id)
	if i <= w.slots || i >= w.used {
		return false
	}
	n := w.node(i)
	if ID(n.genKind>>8) != id>>32 {
		return false
	}
	w.unlink(n)
	w.release(i, n)
	return true
}

// Advance moves the time to now and calls fire for every entry that is due. fire may call Add and
// Cancel: what it cancels does not fire, what it adds fires in a later Advance. A now before that
// of the last call changes nothing. If fire panics, the next Advance fires the rest.
func (w *Wheel) Advance(now time.Duration, fire func(kind uint8, key uint64)) {
	if now > w.start {
		target := uint64(now-w.start) / uint64(w.tick)
		for w.now < target {
			w.collect(min(target, w.now+TicksMax)) // no entry lies further, so 32 bits order them all
		}
	}
	due := w.node(w.slots)
	for due.next != w.slots {
		i := due.next
		n := w.node(i)
		kind, key := uint8(n.genKind), n.key
		w.unlink(n)
		w.release(i, n)
		fire(kind, key)
	}
}

// collect moves the time to the tick target and all that is due by then to the due list, in order.
func (w *Wheel) collect(target uint64) {
	from := w.now + 1
	w.now = target
	if w.count == 0 {
		return
	}
	if target-from >= uint64(w.slots) {
		w.collectTurns(uint32(target))
		return
	}
	for tick := from; tick <= target; tick++ {
		slot := uint32(tick) & (w.slots - 1)
		for i := w.node(slot).next; i != slot; {
			n := w.node(i)
			next := n.next
			if n.expire == uint32(tick) {
				w.unlink(n)
				w.link(w.slots, i, n)
			}
			i = next
		}
	}
}

// collectTurns is collect after a stall of a turn or more: a slot then holds due entries of several
// turns, so that slot order is not order of expiry.
func (w *Wheel) collectTurns(target uint32) {
	var due []uint64 // ticks overdue, complemented, over node index; sorts the longest overdue first
	for slot := range w.slots {
		for i := w.node(slot).next; i != slot; i = w.node(i).next {
			if late := int32(target - w.node(i).expire); late >= 0 {
				due = append(due, uint64(^uint32(late))<<32|uint64(i))
			}
		}
	}
	// Stable: entries of one tick share a slot and keep its order.
	slices.SortStableFunc(due, func(a, b uint64) int { return int(a>>32) - int(b>>32) })
	for _, d := range due {
		i := uint32(d)
		n := w.node(i)
		w.unlink(n)
		w.link(w.slots, i, n)
	}
}

func (w *Wheel) node(i uint32) *node { return &w.chunks[i/chunkNodes][i%chunkNodes] }

// link appends node i to the list of a sentinel.
func (w *Wheel) link(sentinel, i uint32, n *node) {
	head := w.node(sentinel)
	n.next, n.prev = sentinel, head.prev
	w.node(head.prev).next = i
	head.prev = i
}

func (w *Wheel) unlink(n *node) {
	w.node(n.prev).next = n.next
	w.node(n.next).prev = n.prev
}

// take returns the index of a node to use: a freed one, or the next of the slab.
func (w *Wheel) take() uint32 {
	if i := w.free; i != 0 {
		w.free = w.node(i).next
		return i
	}
	if w.used%chunkNodes == 0 {
		w.chunks = append(w.chunks, new([chunkNodes]node))
	}
	w.used++
	return w.used - 1
}

// release gives an unlinked node back; its next generation begins.
func (w *Wheel) release(i uint32, n *node) {
	n.genKind = (n.genKind>>8 + 1) & (1<<genBits - 1) << 8
	n.next = w.free
	w.free = i
	w.count--
}
