package registry

import (
	"fmt"
	"testing"
	"unsafe"
)

// newTestTable returns a table of n loops whose names collide as far as hashMask is short of bits.
func newTestTable(n int, hashMask uint32) (*Table, []*Loop) {
	t := NewTable(Options{Loops: n})
	t.hashMask = hashMask
	loops := make([]*Loop, n)
	for i := range loops {
		loops[i] = NewLoop(t, i)
	}
	return t, loops
}

var hashes = []struct {
	name string
	mask uint32
}{{"good", ^uint32(0)}, {"one-shard", 0xFFFFFF00}, {"constant", 0}}

// testKey returns the key of name i in a name space, 8 to 70 bytes long.
func testKey(space byte, i int) []byte {
	return fmt.Appendf(nil, "%c%07d%s", space, i, "______________________________________________________________"[:i*7%63])
}

func mustSubscribe(t testing.TB, l *Loop, slot uint32, key []byte) Result {
	t.Helper()
	res, err := l.Subscribe(slot, key)
	if err != nil {
		t.Fatalf("Subscribe(%d, %q): %v", slot, key, err)
	}
	return res
}

// settle runs ticks of all loops until no dead id waits, then frees what is left to free.
func settle(t testing.TB, tab *Table, loops []*Loop) {
	t.Helper()
	for tick := 0; tab.WantsRound(); tick++ {
		if tick == 8 {
			t.Fatal("dead ids still wait after 8 ticks of every loop")
		}
		for _, l := range loops {
			l.Quiesce()
		}
	}
	for tab.ready != 0 {
		tab.reclaimLocked()
	}
}

// check verifies that both directions of every loop agree with each other and with the masks.
func check(t testing.TB, tab *Table, loops []*Loop) {
	t.Helper()
	for _, l := range loops {
		subs, words := 0, uint64(0)
		for s := range l.topics.segments {
			for i := range l.topics.segments[s].topics {
				p := &l.topics.segments[s].topics[i]
				if p.id == 0 {
					continue
				}
				if l.topics.find(p.id) != p || tab.record(p.id).mask.Load()&l.bit == 0 {
					t.Fatalf("topic %d is lost or not in its mask", p.id)
				}
				if p.size() > 1 {
					words += uint64(classUnits[p.class()])
				}
				for pos, slot := range l.list(p) {
					at := find(l.tableOf(l.conn(slot)), p.id, l.topics.seed)
					if at < 0 || uint32(l.tableOf(l.conn(slot))[at]) != uint32(pos) {
						t.Fatalf("slot %d does not know its position %d in topic %d", slot, pos, p.id)
					}
					subs++
				}
			}
		}
		entries := 0
		for _, chunk := range l.conns {
			if chunk == nil {
				continue
			}
			for i := range chunk {
				if c := &chunk[i]; c.size > 0 {
					entries += int(c.size)
					words += uint64(classUnits[c.class])
				}
			}
		}
		if subs != l.Len() || entries != subs || words != l.arena.words {
			t.Fatalf("loop %d: Len %d, %d in lists, %d in tables; %d words in use, %d accounted for",
				l.index, l.Len(), subs, entries, l.arena.words, words)
		}
	}
	live := 0
	for id := uint32(1); id < uint32(len(tab.ids.chunks)*chunkRecords); id++ {
		r := tab.peek(id)
		if r == nil || r.gen.Load() == 0 { // never used
			continue
		}
		mask := r.mask.Load()
		if mask != 0 {
			live++
		}
		for _, l := range loops {
			if has := l.topics.find(id) != nil; has != (mask&l.bit != 0) {
				t.Fatalf("topic %d: mask %b, on loop %d: %v", id, mask, l.index, has)
			}
		}
	}
	indexed := 0
	for i := range tab.shards {
		indexed += tab.shards[i].live
	}
	if indexed != live {
		t.Fatalf("%d names indexed, %d alive", indexed, live)
	}
	checkIDs(t, tab)
	checkArena(t, &tab.names)
	for _, l := range loops {
		checkArena(t, &l.arena)
	}
}

// checkIDs verifies that an id is in use or in the free list of its chunk, and that chunks without a
// used id have no memory, but for one.
func checkIDs(t testing.TB, tab *Table) {
	t.Helper()
	p := &tab.ids
	partial, idle, used := map[uint32]bool{}, 0, uint32(0)
	for n := p.partial; n != 0; n = p.chunks[n-1].next {
		partial[n] = true
	}
	for i := range p.chunks {
		c, n := &p.chunks[i], uint32(i)+1
		free := uint16(0)
		for id := c.free; id != 0; id = tab.record(id).link {
			if id/chunkRecords != uint32(i) || tab.record(id).mask.Load() != 0 {
				t.Fatalf("id %d is free in chunk %d, mask %b", id, i, tab.record(id).mask.Load())
			}
			free++
		}
		memory := tab.peek(uint32(i)*chunkRecords) != nil
		total := uint16(chunkRecords)
		if i == 0 {
			total--
		}
		switch {
		case !memory && (c.used != 0 || partial[n]), memory && c.used+free+c.fresh != total, memory && (free+c.fresh > 0) != partial[n]:
			t.Fatalf("chunk %d: memory %v, listed %v, %+v, %d free", i, memory, partial[n], c, free)
		case memory && c.used == 0:
			if idle++; p.spare != n {
				t.Fatalf("chunk %d is empty, the spare one is %d", i, int(p.spare)-1)
			}
		}
		used += uint32(c.used)
	}
	if used != p.used || idle > 1 {
		t.Fatalf("%d ids in use, counted %d; %d empty chunks", p.used, used, idle)
	}
}

// checkArena verifies the counts of spans, and that the empty ones are few.
func checkArena(t testing.TB, a *arena) {
	t.Helper()
	empties, bares := 0, 0
	for s := a.empty; s != 0; s = a.spans[s-1].next {
		empties++
	}
	for s := a.bare; s != 0; s = a.spans[s-1].next {
		if bares++; (*a.dir.Load())[s-1] != nil {
			t.Fatalf("span %d is bare and has memory", s-1)
		}
	}
	if empties != a.empties || bares != a.bares {
		t.Fatalf("%d spans are empty, %d bare; counted %d and %d", a.empties, a.bares, empties, bares)
	}
}

func TestSizes(t *testing.T) {
	for _, s := range []struct {
		name      string
		got, want uintptr
	}{
		{"record", unsafe.Sizeof(record{}), 24},
		{"topic", unsafe.Sizeof(topic{}), 12},
		{"conn", unsafe.Sizeof(conn{}), 16},
		{"shard", unsafe.Sizeof(shard{}), 64},
		{"loopState", unsafe.Sizeof(loopState{}), 64},
	} {
		if s.got != s.want {
			t.Errorf("a %s takes %d bytes, want %d", s.name, s.got, s.want)
		}
	}
}
