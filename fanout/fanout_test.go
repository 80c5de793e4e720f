package fanout

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
)

// sent is one call of an Output.
type sent struct {
	loop   int // -1: SendAll
	slots  []uint32
	except protocol.ConnID // of PostFanout; a slot of SendAll
	ref    registry.TopicRef
	frame  []byte
}

// outputs records what is sent.
type outputs struct {
	calls []sent
	rooms int
}

func (o *outputs) SendAll(slots []uint32, except uint32, frame []byte) {
	o.calls = append(o.calls, sent{loop: -1, slots: slices.Clone(slots), except: protocol.ConnID(except), frame: frame})
}

func (o *outputs) Room(n int) []byte {
	o.rooms++
	return make([]byte, 0, n)
}

func (o *outputs) PostFanout(loop int, ref registry.TopicRef, except protocol.ConnID, frame []byte) {
	o.calls = append(o.calls, sent{loop: loop, except: except, ref: ref, frame: frame})
}

// sink counts deliveries and forgets them.
type sink struct {
	deliveries int
	room       [1 << 10]byte
}

func (s *sink) SendAll(slots []uint32, _ uint32, _ []byte) { s.deliveries += len(slots) }

func (s *sink) Room(n int) []byte { return s.room[:0:n] }

func (s *sink) PostFanout(int, registry.TopicRef, protocol.ConnID, []byte) { s.deliveries++ }

const testLoops = 3

// newFanout returns the Fanout of loop 1, and the subscriptions of all loops.
func newFanout(out Output) (*Fanout, []*registry.Loop) {
	table := registry.NewTable(registry.Options{Loops: testLoops})
	subs := make([]*registry.Loop, testLoops)
	for i := range subs {
		subs[i] = registry.NewLoop(table, i)
	}
	return New(1, table, subs[1], out), subs
}

func subscribe(t testing.TB, l *registry.Loop, key string, slots ...uint32) {
	t.Helper()
	for _, slot := range slots {
		if _, err := l.Subscribe(slot, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
}

func emit(name, data string) *protocol.Message {
	return &protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, Name: []byte(name), Data: []byte(data)}
}

func frameOf(m *protocol.Message) []byte { return ws.AppendFrame(nil, ws.Binary, codec.Append(nil, m)) }

func TestPublishReachesEveryLoopThatListens(t *testing.T) {
	here := func(slot uint32) protocol.ConnID { return protocol.MakeConnID(1, slot, 1) }
	for _, tt := range []struct {
		name   string
		subs   [testLoops][]uint32
		except protocol.ConnID
		local  []uint32 // slots handed to SendAll; nil: not called
		skip   uint32
		posts  []int
	}{
		{name: "nobody"},
		{name: "only the sender", subs: [3][]uint32{1: {7}}, except: here(7)},
		{name: "one other here", subs: [3][]uint32{1: {8}}, except: here(7), local: []uint32{8}, skip: 7},
		{name: "sender and another here", subs: [3][]uint32{1: {7, 8}}, except: here(7), local: []uint32{7, 8}, skip: 7},
		{name: "without exception", subs: [3][]uint32{1: {7}}, local: []uint32{7}, skip: noExcept},
		{name: "sender here, others elsewhere", subs: [3][]uint32{0: {7}, 1: {7}, 2: {1, 2}}, except: here(7), local: []uint32{7}, skip: 7, posts: []int{0, 2}},
		{name: "all elsewhere", subs: [3][]uint32{2: {1}}, except: here(7), posts: []int{2}},
		{name: "same slot of another loop", subs: [3][]uint32{1: {7}}, except: protocol.MakeConnID(2, 7, 1), local: []uint32{7}, skip: noExcept},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out outputs
			f, subs := newFanout(&out)
			subscribe(t, subs[0], "eother", 1)
			for i, slots := range tt.subs {
				subscribe(t, subs[i], "ex", slots...)
			}
			m := emit("x", "1")
			f.Publish([]byte("ex"), tt.except, m)
			if tt.local == nil && tt.posts == nil {
				if len(out.calls) > 0 || len(f.slab) > 0 || out.rooms > 0 {
					t.Fatalf("%d calls and %d frames encoded for nobody", len(out.calls), out.rooms)
				}
				return
			}
			if (out.rooms > 0) != (tt.posts == nil) {
				t.Fatalf("%d frames in memory of the turn, for %d other loops", out.rooms, len(tt.posts))
			}
			var posts []int
			for _, c := range out.calls {
				if !bytes.Equal(c.frame, frameOf(m)) {
					t.Fatalf("frame % x", c.frame)
				}
				if &c.frame[0] != &out.calls[0].frame[0] {
					t.Fatal("encoded more than once")
				}
				switch {
				case c.loop >= 0:
					posts = append(posts, c.loop)
					if c.except != tt.except {
						t.Errorf("posted with the exception %v, want %v", c.except, tt.except)
					}
				case !slices.Equal(c.slots, tt.local) || uint32(c.except) != tt.skip:
					t.Errorf("sent to %v but for %d, want %v but for %d", c.slots, c.except, tt.local, tt.skip)
				}
			}
			if !slices.Equal(posts, tt.posts) || (len(out.calls) > len(posts)) != (tt.local != nil) {
				t.Errorf("posted to %v of %d calls, want %v", posts, len(out.calls), tt.posts)
			}
		})
	}
}

func TestDeliverCompletesWhatAnotherLoopPublished(t *testing.T) {
	var out outputs
	f, subs := newFanout(&out)
	res, err := subs[1].Subscribe(4, []byte("ex"))
	if err != nil {
		t.Fatal(err)
	}
	frame := []byte("frame")
	f.Deliver(res.Ref, protocol.MakeConnID(0, 4, 1), frame)
	f.Deliver(res.Ref, protocol.MakeConnID(1, 4, 1), frame) // a publisher that used to live here
	if len(out.calls) != 2 || !slices.Equal(out.calls[0].slots, []uint32{4}) {
		t.Fatalf("calls %+v", out.calls)
	}
	if a, b := uint32(out.calls[0].except), uint32(out.calls[1].except); a != noExcept || b != 4 {
		t.Fatalf("exceptions %d and %d, want none and 4", a, b)
	}
	subs[1].Unsubscribe(4, []byte("ex"))
	f.Deliver(res.Ref, 0, frame)
	if len(out.calls) != 2 {
		t.Fatal("delivered to a name that nobody listens to any more")
	}
}

func TestFramesAreCarvedOutOfSlabs(t *testing.T) {
	var e Encoder
	first := e.Frame(emit("first", "1"))
	second := e.Frame(emit("second", "2"))
	if both := first[:len(first)+len(second)]; &both[len(first)] != &second[0] {
		t.Fatal("neighbours are not one piece of memory: the engine can't send them together")
	}
	if !bytes.Equal(first, frameOf(emit("first", "1"))) || !bytes.Equal(second, frameOf(emit("second", "2"))) {
		t.Fatalf("frames % x and % x", first, second)
	}
	carved := len(e.slab)
	if carved != len(first)+len(second) {
		t.Fatalf("%d bytes carved for frames of %d and %d", carved, len(first), len(second))
	}
	large := emit("large", `"`+string(bytes.Repeat([]byte("x"), slabFrameMax))+`"`)
	if frame := e.Frame(large); !bytes.Equal(frame, frameOf(large)) || len(e.slab) != carved {
		t.Fatal("a large frame pins a slab")
	}
	for range slabBytes / len(first) { // over the end of the slab
		if frame := e.Frame(emit("first", "1")); !bytes.Equal(frame, first) {
			t.Fatalf("frame % x", frame)
		}
	}
}

// A slab lasts for hundreds of small frames: I15 of the engine's design.
func TestFrameAllocations(t *testing.T) {
	var e Encoder
	m := emit("sensors/kitchen/temperature", `{"celsius":21.5,"at":1700000000}`)
	if got := testing.AllocsPerRun(100, func() {
		for range 300 {
			e.Frame(m)
		}
	}); got > 1 {
		t.Fatalf("%v allocations for 300 frames of %d bytes, want at most 1", got, len(e.Frame(m)))
	}
}

func TestPublishAllocatesNothingPerDelivery(t *testing.T) {
	f, subs := newFanout(&sink{})
	for slot := range uint32(10_000) {
		subscribe(t, subs[1], "ex", slot)
	}
	m, key := emit("x", "1"), []byte("ex")
	if got := testing.AllocsPerRun(10, func() {
		for range 300 {
			f.Publish(key, 0, m)
		}
	}); got != 0 {
		t.Fatalf("%v allocations for 300 publishes to 10,000 subscribers", got)
	}
}

func BenchmarkFrame(b *testing.B) {
	for _, size := range []int{32, 512, 4096} {
		b.Run(fmt.Sprintf("data=%dB", size), func(b *testing.B) {
			var e Encoder
			m := emit("sensors/kitchen/temperature", string(bytes.Repeat([]byte("1"), size)))
			b.ReportAllocs()
			b.SetBytes(int64(len(frameOf(m)))) // frame bytes
			for b.Loop() {
				e.Frame(m)
			}
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, loops := range []int{1, testLoops} {
		for _, count := range []int{1, 100, 10_000} {
			b.Run(fmt.Sprintf("loops=%d/subs=%d", loops, count), func(b *testing.B) {
				f, subs := newFanout(&sink{})
				for slot := range uint32(count) {
					subscribe(b, subs[(1+slot%uint32(loops))%testLoops], "ex", slot)
				}
				m, key := emit("x", `{"celsius":21.5,"at":1700000000}`), []byte("ex")
				b.ReportAllocs()
				for b.Loop() {
					f.Publish(key, 0, m)
				}
			})
		}
	}
}
