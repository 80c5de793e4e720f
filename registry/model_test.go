package registry

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

const (
	modelLoops = 3
	modelSlots = 40
)

type sub struct {
	loop int
	slot uint32
	name int
}

// model is the registry as a map: a subscription is there, or being removed with its connection.
type model struct {
	t       testing.TB
	tab     *Table
	loops   []*Loop
	names   int
	subs    map[sub]bool
	closing map[sub]bool // name is 0
}

// play runs prog, four bytes an operation, against both.
func play(t testing.TB, hashMask uint32, names int, prog []byte) {
	tab, loops := newTestTable(modelLoops, hashMask)
	m := &model{t: t, tab: tab, loops: loops, names: names, subs: map[sub]bool{}, closing: map[sub]bool{}}
	for i := 0; len(prog) >= 4; i++ {
		s := sub{int(prog[1]) % modelLoops, uint32(prog[1]) / modelLoops % modelSlots, (int(prog[2])<<8 | int(prog[3])) % names}
		m.step(prog[0], s)
		if prog = prog[4:]; i%512 == 511 {
			m.compare()
		}
	}
	m.compare()
	for i, l := range loops {
		for slot := range uint32(modelSlots) {
			m.close(sub{i, slot, 0}, 1<<20)
		}
		if l.Len() != 0 || l.arena.words != 0 || l.topics.size != 0 {
			t.Fatalf("loop %d keeps %d subscriptions, %d words, %d topics", i, l.Len(), l.arena.words, l.topics.size)
		}
	}
	settle(t, tab, loops)
	m.compare()
	if tab.names.words != 0 {
		t.Fatalf("%d words of names left", tab.names.words)
	}
}

func (m *model) step(op byte, s sub) {
	l, key, conn := m.loops[s.loop], testKey('E', s.name), sub{s.loop, s.slot, 0}
	if m.closing[conn] || op%32 == 31 {
		m.close(conn, int(op)/8+1)
		return
	}
	switch op % 8 {
	case 0, 1, 2, 3:
		edge := m.edge(s)
		res, err := l.Subscribe(s.slot, key)
		if err != nil || res.Changed == m.subs[s] || res.Edge != (edge && res.Changed) {
			m.t.Fatalf("Subscribe %v: %+v, %v", s, res, err)
		}
		m.subs[s] = true
	case 4, 5, 6:
		had := m.subs[s]
		delete(m.subs, s)
		if res := l.Unsubscribe(s.slot, key); res.Changed != had || res.Edge != (had && m.edge(s)) {
			m.t.Fatalf("Unsubscribe %v: %+v", s, res)
		}
	case 7:
		l.Quiesce()
	}
	if l.Subscribed(s.slot, key) != m.subs[s] {
		m.t.Fatalf("Subscribed %v is not %v", s, m.subs[s])
	}
}

// edge reports whether the loop has no subscriber of the topic.
func (m *model) edge(s sub) bool {
	for slot := range uint32(modelSlots) {
		if m.subs[sub{s.loop, slot, s.name}] {
			return false
		}
	}
	return true
}

func (m *model) close(conn sub, budget int) {
	m.closing[conn] = m.loops[conn.loop].RemoveConn(conn.slot, budget, func(ref TopicRef, key []byte, edge bool) {
		name, _ := strconv.Atoi(string(key[1:8]))
		s := sub{conn.loop, conn.slot, name}
		if !m.subs[s] {
			m.t.Fatalf("removed %v, which is not there", s)
		}
		delete(m.subs, s)
		if edge != m.edge(s) {
			m.t.Fatalf("removed %v: edge %v", s, edge)
		}
	})
}

// compare verifies every answer the registry can give, and its insides.
func (m *model) compare() {
	check(m.t, m.tab, m.loops)
	want := make([][modelLoops][]uint32, m.names)
	counts := map[sub]int{}
	for s := range m.subs {
		want[s.name][s.loop] = append(want[s.name][s.loop], s.slot)
		counts[sub{s.loop, s.slot, 0}]++
	}
	live := 0
	for name := range m.names {
		var mask uint64
		ref, got, ok := m.tab.Find(testKey('E', name))
		for i, l := range m.loops {
			slots := slices.Sorted(slices.Values(l.Subscribers(ref)))
			slices.Sort(want[name][i])
			if !slices.Equal(slots, want[name][i]) {
				m.t.Fatalf("name %d on loop %d: %v, want %v", name, i, slots, want[name][i])
			}
			if len(slots) > 0 {
				mask |= l.bit
			}
		}
		if got != mask || ok != (mask != 0) {
			m.t.Fatalf("name %d: mask %b, %v, want %b", name, got, ok, mask)
		}
		if ok {
			live++
		}
	}
	for i, l := range m.loops {
		for slot := range uint32(modelSlots) {
			if l.Count(slot) != counts[sub{i, slot, 0}] {
				m.t.Fatalf("slot %d has %d subscriptions, want %d", slot, l.Count(slot), counts[sub{i, slot, 0}])
			}
		}
	}
	if n := m.tab.Names('E'); n != live || m.tab.Names('F') != 0 {
		m.t.Fatalf("%d names counted, want %d", n, live)
	}
	for i, l := range m.loops {
		if n := l.LenOf('E'); n != l.Len() || l.LenOf('F') != 0 {
			m.t.Fatalf("loop %d: %d subscriptions of %d are of the only name space", i, n, l.Len())
		}
	}
	var at Cursor
	for done := false; !done; {
		at, done = m.tab.Walk(at, 1000, 'E', func(TopicRef, []byte, uint64) bool { live--; return true })
	}
	if live != 0 {
		m.t.Fatalf("Walk missed %d topics", live)
	}
}

func TestModel(t *testing.T) {
	for _, h := range hashes {
		t.Run("hash="+h.name, func(t *testing.T) {
			for seed := range uint64(4) {
				t.Logf("seed %d", seed)
				r := rand.New(rand.NewPCG(seed, 0))
				prog := make([]byte, 4*sized(20_000))
				for i := range prog {
					prog[i] = byte(r.Uint32())
				}
				play(t, h.mask, []int{3, 60, 400, 400}[seed], prog)
			}
		})
	}
}

func FuzzRegistry(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 3, 0, 0, 4, 0, 0, 0, 31, 3, 0, 0})      // two subscribers leave, each its own way
	f.Add([]byte{0, 1, 0, 1, 4, 1, 0, 1, 7, 0, 0, 0, 7, 1, 0, 0})       // a name dies, two loops tick
	f.Add(bytes.Repeat([]byte{0, 0, 0, 1, 1, 0, 0, 2, 2, 0, 0, 3}, 20)) // duplicates
	f.Fuzz(func(t *testing.T, prog []byte) {
		if len(prog) > 4*400 {
			return
		}
		play(t, hashes[len(prog)/4%len(hashes)].mask, 50, prog)
	})
}
