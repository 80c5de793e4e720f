// Package fanout delivers one message to many connections: it is encoded once, handed to the own
// loop's subscribers directly and to every other loop that has any as one piece of mail.
//
// # Invariants
//   - A message without a subscriber other than its sender is not even encoded.
//   - A frame is immutable from the moment Frame returns it, and may be shared by all loops.
//   - What stays on the loop is made in memory of its turn (Local), which the next turn overwrites.
//   - Deliveries of one publisher keep their order per subscriber: a loop's mail is first in, first
//     out.
//
// Cost: one lock-free look-up per publish, one encode, a dense walk per loop; 0 allocations, but one
// slab of 32 KiB per few hundred frames that go to other loops. Stability: internal, may change.
package fanout

import (
	"math/bits"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
)

const (
	slabBytes    = 32 << 10 // small frames are carved out of slabs of this size
	slabFrameMax = 1 << 10  // a larger frame is allocated alone, so that it does not pin a slab
	noExcept     = ^uint32(0)
)

// Encoder makes frames that outlive a turn. One per loop; not safe for concurrent use.
type Encoder struct {
	slab []byte // len: carved so far
}

// Frame returns m as one complete unmasked WebSocket frame. The frame is owned by nobody and freed
// by the collector. Its capacity reaches over the frames made after it, which lets the engine send
// neighbours in one piece: nobody may append to a frame. Hot path: see BenchmarkFrame.
func (e *Encoder) Frame(m *protocol.Message) []byte {
	n := codec.Size(m)
	total := ws.HeaderSize(n) + n
	if total > slabFrameMax {
		return appendFrame(make([]byte, 0, total), m, n)
	}
	if cap(e.slab)-len(e.slab) < total {
		e.slab = make([]byte, 0, slabBytes)
	}
	start := len(e.slab)
	e.slab = appendFrame(e.slab, m, n)
	return e.slab[start:]
}

// appendFrame appends m, n bytes when encoded, as a frame.
func appendFrame(dst []byte, m *protocol.Message, n int) []byte {
	return codec.Append(ws.AppendHeader(dst, ws.Binary, n), m)
}

// Output is where deliveries go. The engine's loop stands behind it.
type Output interface {
	// Room returns an empty slice for exactly n bytes, which are the frame of a delivery to connections of
	// this loop and are overwritten when it is written.
	Room(n int) []byte
	// SendAll queues frame for the connections in slots, but not for except.
	SendAll(slots []uint32, except uint32, frame []byte)
	// PostFanout has another loop call Deliver with the same arguments.
	PostFanout(loop int, ref registry.TopicRef, except protocol.ConnID, frame []byte)
}

// Fanout is one loop's way to the subscribers of a name. Not safe for concurrent use.
type Fanout struct {
	Encoder

	// About is what is being delivered, for an Output that counts. Publish sets it, and whoever calls
	// Deliver for another loop's Publish.
	About protocol.Kind

	// Set by New, then constant.
	loop  int
	table *registry.Table
	subs  *registry.Loop
	out   Output
}

// New returns the Fanout of the loop that owns subs.
func New(loop int, table *registry.Table, subs *registry.Loop, out Output) *Fanout {
	return &Fanout{loop: loop, table: table, subs: subs, out: out}
}

// Local returns m as one complete unmasked WebSocket frame, like Frame, in memory of the Output's Room: for
// connections of this loop only, and to be handed to it in the current turn. Hot path: 0 allocs.
func (f *Fanout) Local(m *protocol.Message) []byte {
	n := codec.Size(m)
	return appendFrame(f.out.Room(ws.HeaderSize(n)+n), m, n)
}

// Publish delivers m to every subscriber of key on this node except one connection (0: none).
// Hot path: 0 allocs per delivery, see BenchmarkPublish.
func (f *Fanout) Publish(key []byte, except protocol.ConnID, m *protocol.Message) {
	ref, mask, ok := f.table.Find(key)
	if !ok || mask == 0 {
		return
	}
	own := uint64(1) << f.loop
	var local []uint32
	skip := noExcept
	if mask&own != 0 {
		local = f.subs.Subscribers(ref)
		if except != 0 && except.Loop() == f.loop {
			skip = except.Slot()
		}
	}
	others := mask &^ own
	if others == 0 && (len(local) == 0 || len(local) == 1 && local[0] == skip) {
		return
	}
	f.About = protocol.KindOf(m.Topic, m.Action)
	if others == 0 {
		f.out.SendAll(local, skip, f.Local(m))
		return
	}
	frame := f.Frame(m)
	if len(local) > 0 {
		f.out.SendAll(local, skip, frame)
	}
	for ; others != 0; others &= others - 1 {
		f.out.PostFanout(bits.TrailingZeros64(others), ref, except, frame)
	}
}

// Deliver completes on this loop what Publish began on another.
func (f *Fanout) Deliver(ref registry.TopicRef, except protocol.ConnID, frame []byte) {
	skip := noExcept
	if except != 0 && except.Loop() == f.loop {
		skip = except.Slot()
	}
	if local := f.subs.Subscribers(ref); len(local) > 0 {
		f.out.SendAll(local, skip, frame)
	}
}
