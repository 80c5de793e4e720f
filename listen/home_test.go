package listen

import (
	"fmt"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

// nullOut is an Out that forgets. As a listener it never answers.
type nullOut struct{ random uint32 }

func (*nullOut) Send(protocol.ConnID, *protocol.Message)                {}
func (*nullOut) ProviderChanged([]byte, bool)                           {}
func (*nullOut) StartTimer(time.Duration, uint8, uint64) (none TimerID) { return none }
func (*nullOut) StopTimer(TimerID)                                      {}
func (*nullOut) Loops([]byte) uint64                                    { return 1 }
func (*nullOut) Now() time.Duration                                     { return 0 }
func (o *nullOut) Random(n int) int                                     { o.random += 0x9E3779B9; return int(o.random) % n }

func mustListen(t testing.TB, h *Home, conn protocol.ConnID, text string) {
	t.Helper()
	if _, err := h.Listen(conn, mustCompile(t, text)); err != nil {
		t.Fatal(err)
	}
}

// provide makes conn, the only candidate, the provider of count names.
func provide(t testing.TB, h *Home, conn protocol.ConnID, text string, count int) {
	t.Helper()
	for i := range count {
		name := fmt.Appendf(nil, "news/%08d", i)
		h.Subscribers(name, 0, true)
		h.Accept(conn, []byte(text), name)
		h.Turn()
	}
	if s := h.Stats(); s.Names != count || s.Searches != 0 {
		t.Fatalf("got %+v, want %d provided names", s, count)
	}
}

func TestRandomOrderIsFair(t *testing.T) {
	n := newTestNode(Event, Options{}, 7)
	for conn := range protocol.ConnID(4) {
		mustListen(t, n.home, conn, "x")
	}
	first := map[protocol.ConnID]int{}
	n.onSend = func(to protocol.ConnID, m *protocol.Message) { first[to]++ }
	for i := range 4000 {
		n.subscribe(fmt.Sprint("x", i), 0)
		n.home.Turn()
	}
	for conn, count := range first {
		if count < 850 || count > 1150 { // five standard deviations around 1000
			t.Errorf("conn %d is asked first for %d of 4000 names", conn, count)
		}
	}
}

func TestPermuteIsABijection(t *testing.T) {
	seen := map[uint64]bool{}
	for x := range uint64(100_000) {
		y := permute(x, 12345)
		if seen[y] || y >= 1<<63 {
			t.Fatalf("permute(%d) = %d, seen before or out of range", x, y)
		}
		seen[y] = true
	}
}

// TestRoundIsSliced has more idle names than one slice may search for.
func TestRoundIsSliced(t *testing.T) {
	n := newTestNode(Event, Options{RematchInterval: 30 * time.Second}, 1)
	mustListen(t, n.home, 1, "x")
	count := 2*roundBudget/(roundSearch+1) + 100
	for i := range count {
		name := fmt.Sprint("x", i)
		n.subscribe(name, 0)
		n.home.Reject(1, []byte("x"), []byte(name))
		n.home.Turn()
	}
	questions := 0
	n.onSend = func(_ protocol.ConnID, m *protocol.Message) {
		if m.Action == Event.Found {
			questions++
		}
	}
	n.advance(30 * time.Second)
	if questions == 0 || questions > roundBudget/roundSearch+1 {
		t.Fatalf("the first slice asked for %d of %d names", questions, count)
	}
	n.advance(2 * roundPause)
	if questions != count {
		t.Errorf("the round asked for %d of %d names", questions, count)
	}
}

func TestOptionsValidate(t *testing.T) {
	if err := (Options{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for _, o := range []Options{
		{ResponseTimeout: 49 * time.Millisecond}, {RematchInterval: -1}, {MatchCooldown: -1}, {MatchCooldown: 25 * time.Hour},
		{PatternsPerConnMax: -1}, {ListenersMax: -1}, {NamesMax: -1}, {NamesMax: 1 << 31},
	} {
		if o.Validate() == nil {
			t.Errorf("%+v is valid", o)
		}
	}
}

func BenchmarkFirstSubscriber(b *testing.B) {
	for _, c := range []struct{ kind, format string }{{"prefix", "^p%d/.*"}, {"regexp", "p%d/[0-9]+$"}} {
		for _, text := range []string{"p77/1", "q/1"} {
			b.Run(fmt.Sprintf("patterns=100/kind=%s/name=%s", c.kind, text[:1]), func(b *testing.B) {
				h := New(Event, Options{}, &nullOut{})
				for i := range 100 {
					mustListen(b, h, protocol.ConnID(i), fmt.Sprintf(c.format, i))
				}
				name := []byte(text)
				b.ReportAllocs()
				for b.Loop() {
					h.Turn()
					h.Subscribers(name, 0, true)
					h.Subscribers(name, 0, false)
				}
			})
		}
	}
}

func BenchmarkClosed(b *testing.B) {
	const names = 100_000
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		h := New(Event, Options{}, &nullOut{})
		mustListen(b, h, 1, "^news/")
		provide(b, h, 1, "^news/", names)
		mustListen(b, h, 2, "^news/")
		b.StartTimer()
		for r := h.Closed(1); r.Step(1000) == 0; {
			h.Turn()
		}
		for h.Turn() {
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(names*b.N), "ns/name")
}
