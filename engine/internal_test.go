package engine

import (
	"context"
	"fmt"
	"testing"
	"unsafe"

	"github.com/panjf2000/gnet/v2"

	"deepstream-fast/protocol"
)

type onLoop struct{ f func(*Loop) }

func (o onLoop) runnable(l *Loop) gnet.RunnableFunc {
	return func(context.Context) error { o.f(l); return nil }
}

func TestMailboxKeepsOrderAndBounds(t *testing.T) {
	var b mailbox
	for i := range 10 {
		b.put([]Mail{{Topic: uint32(2 * i)}, {Topic: uint32(2*i + 1)}})
	}
	for i := range 20 {
		if m := b.take(); m == nil || m.Topic != uint32(i) {
			t.Fatalf("mail %d is %+v", i, m)
		}
	}
	if m := b.take(); m != nil {
		t.Fatalf("an empty box gave %+v", m)
	}
	many := make([]Mail, mailboxMax)
	if dropped := b.put(many); dropped != 0 {
		t.Fatalf("%d of the first %d were dropped", dropped, mailboxMax)
	}
	if dropped := b.put([]Mail{{Droppable: true}, {Kind: 7}, {Droppable: true}}); dropped != 2 {
		t.Fatalf("dropped %d of a full box, want the 2 droppable", dropped)
	}
	if len(b.in) != mailboxMax+1 || b.in[mailboxMax].Kind != 7 {
		t.Fatal("the mail that must not be lost is not there")
	}
}

func TestSlabReusesSlotsUnderNewNames(t *testing.T) {
	var s slab
	l := &Loop{id: 3}
	first := s.acquire()
	first.loop, first.state = l, stateOpen
	id := first.ID()
	if id.Loop() != 3 || id.Gen() == 0 {
		t.Fatalf("id %v", id)
	}
	l.conns = s
	if l.Conn(id) != first {
		t.Fatal("the id does not find its connection")
	}
	l.conns.release(first)
	if l.Conn(id) != nil {
		t.Fatal("the id outlived its connection")
	}
	second := l.conns.acquire()
	second.loop, second.state = l, stateOpen
	if second != first || second.ID() == id || l.Conn(id) != nil || l.Conn(second.ID()) != second {
		t.Fatalf("slot %d was to be reused under a new name: %v then %v", first.slot, id, second.ID())
	}
	if l.Conn(protocol.MakeConnID(3, 1<<20, 1)) != nil {
		t.Fatal("a slot that never was found something")
	}
}

func TestBacklogAccounts(t *testing.T) {
	var b backlog
	small, large := make([]byte, 100), make([]byte, 5000)
	b.push(small, 1, Reply)
	b.push(small, 1, Reply)
	b.push(large, 1, Droppable)
	b.push(small, 1, Broadcast)
	if len(b.segments) != 3 || b.segments[0].frames != 2 {
		t.Fatalf("segments %+v", b.segments)
	}
	if want := 200 + 5000 + 100 + 3*segmentCost; b.bytes != want || b.replies != 200+segmentCost {
		t.Fatalf("bytes %d (want %d), replies %d", b.bytes, want, b.replies)
	}
	if got := b.front(150); len(got) != 150 || b.off != 150 {
		t.Fatalf("front gave %d bytes, offset %d", len(got), b.off)
	}
	if frames, size := b.dropOldest(0); frames != 1 || size != 5000 {
		t.Fatalf("dropped %d frames of %d bytes, want the one droppable", frames, size)
	}
	for len(b.segments) > 0 {
		b.front(64)
	}
	if b.bytes != 0 || b.replies != 0 || b.off != 0 {
		t.Fatalf("an empty backlog accounts for %d bytes, %d of replies", b.bytes, b.replies)
	}
}

// The size of what every connection and every delivery costs.
func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 160 {
		t.Errorf("Conn takes %d bytes", n)
	}
	if n := unsafe.Sizeof(node{}); n != 12 {
		t.Errorf("node takes %d bytes", n)
	}
	if n := unsafe.Sizeof(lane{}); n != 8 {
		t.Errorf("lane takes %d bytes", n)
	}
	if n := unsafe.Sizeof(Mail{}); n > 72 {
		t.Errorf("Mail takes %d bytes", n)
	}
}

// rowOfLoop is a Loop with n open connections that have no sockets.
func rowOfLoop(n int) (*Loop, []uint32) {
	l := &Loop{engine: &Engine{}, lanes: make([]lane, n)}
	slots := make([]uint32, n)
	for i := range slots {
		slots[i] = uint32(i)
	}
	return l, slots
}

// forget empties the lists of a turn without writing.
func (l *Loop) forget() {
	clear(l.lanes)
	l.dirty, l.nodes, l.frames, l.frameBytes = l.dirty[:0], l.nodes[:0], l.frames[:0], 0
}

func TestSendAllAllocatesNothing(t *testing.T) {
	l, slots := rowOfLoop(1000)
	frame := make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() {
		l.SendAll(slots, NoSlot, frame, Droppable)
		l.forget()
	}); n != 0 {
		t.Errorf("%v allocations for %d deliveries", n, len(slots))
	}
}

func BenchmarkSendAll(b *testing.B) {
	for _, subs := range []int{10, 1000} {
		b.Run(fmt.Sprintf("subs=%d", subs), func(b *testing.B) {
			l, slots := rowOfLoop(subs)
			frame := make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				l.SendAll(slots, NoSlot, frame, Droppable)
				l.forget()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*subs), "ns/delivery")
		})
	}
}
