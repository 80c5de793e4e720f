package registry

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"deepstream-fast/protocol"
)

func TestEdgesAndMasks(t *testing.T) {
	tab, loops := newTestTable(2, ^uint32(0))
	a, b := loops[0], loops[1]
	key := []byte("Enews")
	type step struct {
		l             *Loop
		sub           bool
		slot          uint32
		changed, edge bool
		mask          uint64
	}
	for i, s := range []step{
		{a, true, 1, true, true, 0b01},
		{a, true, 1, false, false, 0b01},
		{a, true, 2, true, false, 0b01},
		{b, true, 1, true, true, 0b11},
		{a, false, 3, false, false, 0b11},
		{a, false, 1, true, false, 0b11},
		{a, false, 2, true, true, 0b10},
		{a, false, 2, false, false, 0b10},
		{b, false, 1, true, true, 0},
		{b, true, 7, true, true, 0b10},
	} {
		res := Result{}
		if s.sub {
			res = mustSubscribe(t, s.l, s.slot, key)
		} else {
			res = s.l.Unsubscribe(s.slot, key)
		}
		if res.Changed != s.changed || res.Edge != s.edge {
			t.Fatalf("step %d: %+v", i, res)
		}
		ref, mask, ok := tab.Find(key)
		if mask != s.mask || ok != (mask != 0) || ok && (tab.Mask(ref) != mask || !bytes.Equal(tab.Key(ref), key)) {
			t.Fatalf("step %d: Find %v %b %v, key %q", i, ref, mask, ok, tab.Key(ref))
		}
		check(t, tab, loops)
	}
}

func TestStaleRefMatchesNothing(t *testing.T) {
	tab, loops := newTestTable(1, ^uint32(0))
	l := loops[0]
	old := mustSubscribe(t, l, 1, []byte("Eold")).Ref
	l.Unsubscribe(1, []byte("Eold"))
	if string(tab.Key(old)) != "Eold" || tab.Mask(old) != 0 || l.Subscribers(old) != nil {
		t.Error("a dead ref is not readable until its tick is over")
	}
	settle(t, tab, loops)
	fresh := mustSubscribe(t, l, 2, []byte("Enew")).Ref
	if fresh.ID != old.ID {
		t.Fatalf("id %d was not reused, got %d", old.ID, fresh.ID)
	}
	for _, ref := range []TopicRef{old, {}, {ID: 99999, Gen: 1}, {ID: fresh.ID, Gen: 0}} {
		if tab.Key(ref) != nil || tab.Mask(ref) != 0 || l.Subscribers(ref) != nil {
			t.Errorf("%v matches a topic", ref)
		}
	}
	if got := l.Subscribers(fresh); !slices.Equal(got, []uint32{2}) {
		t.Errorf("subscribers of the new topic: %v", got)
	}
}

// An id must outlast two whole ticks of every loop, however the ticks fall.
func TestReuseWaitsForEveryLoop(t *testing.T) {
	tab, loops := newTestTable(3, ^uint32(0))
	mustSubscribe(t, loops[0], 1, []byte("Ea"))
	loops[0].Unsubscribe(1, []byte("Ea"))
	for range 50 {
		loops[0].Quiesce()
		loops[1].Quiesce()
	}
	if !tab.WantsRound() {
		t.Fatal("reused without a tick of the third loop")
	}
	ticks := 0
	for ; tab.WantsRound(); ticks++ {
		for _, l := range loops {
			l.Quiesce()
		}
	}
	if ticks < 3 || ticks > 6 {
		t.Errorf("reused after %d ticks, want two whole ones and the begun ones around them", ticks)
	}
}

func TestLimits(t *testing.T) {
	tab, loops := newTestTable(1, ^uint32(0))
	l := loops[0]
	longest := bytes.Repeat([]byte("x"), KeyBytesMax)
	mustSubscribe(t, l, 1, longest)
	if ref, _, ok := tab.Find(longest); !ok || !bytes.Equal(tab.Key(ref), longest) {
		t.Error("the longest key is not found")
	}
	for _, key := range [][]byte{nil, {}, append(longest, 'x')} {
		if _, err := l.Subscribe(1, key); !errors.Is(err, ErrKey) {
			t.Errorf("key of %d bytes: %v", len(key), err)
		}
		if l.Unsubscribe(1, key).Changed || l.Subscribed(1, key) {
			t.Errorf("key of %d bytes is subscribed", len(key))
		}
	}
	if _, err := l.Subscribe(protocol.SlotsMax, []byte("E")); !errors.Is(err, ErrFull) {
		t.Errorf("slot beyond the slab: %v", err)
	}
	mustSubscribe(t, l, protocol.SlotsMax-1, []byte("E"))

	before := l.Len()
	tab.ids.limit = tab.ids.used
	if _, err := l.Subscribe(3, []byte("Eone more")); !errors.Is(err, ErrFull) {
		t.Errorf("topic beyond TopicsMax: %v", err)
	}
	tab.ids.limit = TopicsMax
	if l.Len() != before || l.Count(3) != 0 {
		t.Error("a failed Subscribe left something behind")
	}
	check(t, tab, loops)
}

// With room for so few spans, memory runs out at every point where Subscribe asks for some.
func TestOutOfMemoryChangesNothing(t *testing.T) {
	for limit := range 12 {
		tab, loops := newTestTable(1, ^uint32(0))
		l := loops[0]
		l.arena.limit, tab.names.limit = limit, 1+limit/2
		failed := 0
		for i := range 3000 {
			slot, key := uint32(i*7919%60), testKey('E', i*104729%300)
			if i%5 == 4 {
				l.Unsubscribe(slot, key)
				continue
			}
			size, had := l.Len(), l.Subscribed(slot, key)
			if res, err := l.Subscribe(slot, key); err != nil {
				failed++
				if !errors.Is(err, ErrFull) || res != (Result{}) || l.Len() != size || l.Subscribed(slot, key) != had {
					t.Fatalf("limit %d: failed with %v, %+v", limit, err, res)
				}
			}
			l.Quiesce()
		}
		check(t, tab, loops)
		if failed == 0 {
			t.Fatalf("limit %d: nothing failed", limit)
		}
		l.arena.limit, tab.names.limit = spansMax, spansMax
		mustSubscribe(t, l, 59, testKey('E', 1))
		mustSubscribe(t, l, 61, testKey('E', 301))
		check(t, tab, loops)
	}
}

func TestRemoveConnInSlices(t *testing.T) {
	for _, n := range []int{1, 5, 8, 9, 100, sized(5000)} {
		tab, loops := newTestTable(1, ^uint32(0))
		l := loops[0]
		for i := range n {
			mustSubscribe(t, l, 1, testKey('E', i))
			if i%2 == 0 {
				mustSubscribe(t, l, 2, testKey('E', i))
				mustSubscribe(t, l, 3, testKey('E', i))
			}
		}
		heard, edges := map[string]bool{}, 0
		each := func(ref TopicRef, key []byte, edge bool) {
			if heard[string(key)] || !bytes.Equal(tab.Key(ref), key) {
				t.Fatalf("topic %v, key %q heard twice or wrong", ref, key)
			}
			heard[string(key)] = true
			if edge {
				edges++
			}
		}
		for step := 1; l.RemoveConn(1, 7, each); step++ {
			if len(heard) != 7*step || l.Count(1) != n-7*step {
				t.Fatalf("after %d slices of 7: heard of %d, Count %d", step, len(heard), l.Count(1))
			}
			// Others come and go meanwhile, and move the entries that are left.
			i := step * 2 % n
			l.Unsubscribe(uint32(2+step%2), testKey('E', i-i%2))
			check(t, tab, loops)
		}
		if len(heard) != n || l.Count(1) != 0 || edges < n/2 {
			t.Fatalf("heard of %d of %d, %d edges, %d left", len(heard), n, edges, l.Count(1))
		}
		for slot := uint32(2); slot <= 3; slot++ {
			for l.RemoveConn(slot, 1000, nil) {
				check(t, tab, loops)
			}
		}
		mustSubscribe(t, l, 1, []byte("Eagain"))
		l.Unsubscribe(1, []byte("Eagain"))
		settle(t, tab, loops)
		check(t, tab, loops)
		if l.Len() != 0 || l.arena.words != 0 || tab.names.words != 0 {
			t.Fatalf("left behind: %d subscriptions, %d and %d words", l.Len(), l.arena.words, tab.names.words)
		}
	}
}

func TestWalkVisitsASpaceInSlices(t *testing.T) {
	tab, loops := newTestTable(2, ^uint32(0))
	for i := range 3000 {
		mustSubscribe(t, loops[i%2], 1, testKey("ERP"[i%3], i))
	}
	for i := 0; i < 3000; i += 4 {
		loops[i%2].Unsubscribe(1, testKey("ERP"[i%3], i))
	}
	got := map[string]uint64{}
	var at Cursor
	for done := false; !done; {
		seen := 0
		at, done = tab.Walk(at, 100, 'R', func(ref TopicRef, key []byte, mask uint64) bool {
			if _, twice := got[string(key)]; twice || tab.Mask(ref) != mask {
				t.Errorf("%q visited twice or with mask %b", key, mask)
			}
			got[string(key)] = mask
			seen++
			return seen < 7
		})
		if seen > 7 {
			t.Fatalf("a step visited %d topics", seen)
		}
	}
	want := 0
	for i := range 3000 {
		if i%3 == 1 && i%4 != 0 {
			want++
			if got[string(testKey('R', i))] != 1<<(i%2) {
				t.Errorf("name %d: mask %b", i, got[string(testKey('R', i))])
			}
		}
	}
	if len(got) != want {
		t.Errorf("visited %d topics, want %d", len(got), want)
	}
}

func TestClassHoldsItsUnits(t *testing.T) {
	for units := uint32(1); units < 1<<25; units += max(1, units/100) {
		c := classOf(units)
		if classUnits[c] < units || c > 0 && classUnits[c-1] >= units {
			t.Fatalf("%d units: class %d of %d", units, c, classUnits[c])
		}
	}
	if classUnits[classesMax-1] != 1<<25 || classOf(1<<25) != classesMax-1 {
		t.Errorf("the largest class has %d units", classUnits[classesMax-1])
	}
}

// Names of ever new text and length must live in the memory of dead ones.
func TestChurnIsFlat(t *testing.T) {
	tab, loops := newTestTable(2, ^uint32(0))
	const batch = 3000
	var ids, spans int
	for gen := range 60 {
		for i := range batch {
			key := append(testKey('E', gen*batch+i), make([]byte, gen*4)...)
			mustSubscribe(t, loops[i%2], uint32(i%50), key)
			mustSubscribe(t, loops[1], 99, key)
		}
		for _, l := range loops {
			for slot := range uint32(100) {
				for l.RemoveConn(slot, 64, nil) {
					l.Quiesce()
				}
			}
		}
		for tab.WantsRound() {
			loops[0].Quiesce()
			loops[1].Quiesce()
		}
		if gen == 0 {
			ids = len(tab.ids.chunks)
		}
		if gen%10 == 9 {
			check(t, tab, loops)
		}
		spans = len(tab.names.spans)
	}
	if len(tab.ids.chunks) > 2*ids {
		t.Errorf("chunks of ids grew from %d to %d", ids, len(tab.ids.chunks))
	}
	// The longest batch is 1 MB; the one before it may still be held.
	if spans > 2*batch*320/(spanUnits*8)+40 {
		t.Errorf("names take %d spans", spans)
	}
	settle(t, tab, loops)
	if tab.names.words != 0 {
		t.Errorf("%d words of names left", tab.names.words)
	}
}

func TestAllocBudgets(t *testing.T) {
	tab, loops := newTestTable(1, ^uint32(0))
	l := loops[0]
	keys := make([][]byte, 3000)
	for i := range keys {
		keys[i] = testKey('E', i)
		mustSubscribe(t, l, 1, keys[i])
	}
	i, found := 0, 0
	for name, op := range map[string]func(){
		"find and walk": func() {
			ref, _, _ := tab.Find(keys[i%3000])
			found += len(l.Subscribers(ref))
		},
		"subscribe and unsubscribe, shared": func() {
			_, _ = l.Subscribe(2, keys[i%3000])
			l.Unsubscribe(2, keys[i%3000])
		},
		"unsubscribe and subscribe, own": func() {
			l.Unsubscribe(1, keys[i%3000])
			_, _ = l.Subscribe(1, keys[i%3000])
			l.Quiesce()
		},
		"subscribe and close": func() {
			_, _ = l.Subscribe(3, keys[i%3000])
			l.RemoveConn(3, 10, nil)
		},
	} {
		for range 20_000 { // warm up: tombstones, spans and ids reach their level
			op()
			i++
		}
		if allocs := testing.AllocsPerRun(5000, func() { op(); i++ }); allocs != 0 {
			t.Errorf("%s: %v allocs", name, allocs)
		}
	}
	if found == 0 {
		t.Error("nothing found")
	}
}
