package cache

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

const modelBytesMax = 192 << 10

// modelSizes are the sizes of data: none, within one class, around its ends, in spans of their own.
var modelSizes = []int{0, 2, 3, 40, 200, 210, 1000, 3000, 9000, 16_340, 17_000, 40_000}

// record is what a name must be if the cache knows it.
type record struct {
	version int32
	data    []byte
	exists  bool
	pins    int
}

// model is the cache as a map which hears of an eviction when it asks.
type model struct {
	t         testing.TB
	c         *Cache
	names     int
	records   map[int]record
	version   int32
	last      int64 // charge of the entry put last, until the next change
	evictions uint64
	stats     Stats
	dropped   int // entries the cache must have lost, by eviction
}

// play runs prog, three bytes an operation, against a map and with every hash. How names hash may
// not be seen from outside.
func play(t testing.TB, names int, prog []byte) {
	caches := make([]*model, len(hashes))
	for i, h := range hashes {
		caches[i] = &model{t: t, c: newTestCache(modelBytesMax, h.mask), names: names, records: map[int]record{}}
	}
	for i := 0; len(prog) >= 3; i++ {
		for _, m := range caches {
			m.step(prog[0], int(prog[1])%names, modelSizes[int(prog[2])%len(modelSizes)])
		}
		if prog = prog[3:]; i%64 == 63 || len(prog) < 3 {
			compare(t, caches)
		}
	}
	for _, m := range caches {
		m.drain()
	}
}

func compare(t testing.TB, caches []*model) {
	for i, m := range caches {
		m.compare()
		if a, b := m.c.Stats(), caches[0].c.Stats(); a != b || m.c.Bytes() != caches[0].c.Bytes() {
			t.Fatalf("hash %s: %+v, hash %s: %+v", hashes[i].name, a, hashes[0].name, b)
		}
	}
}

func (m *model) step(op byte, i, size int) {
	name := testName(nil, i)
	r, known := m.sync(i)
	switch op % 16 {
	case 0, 1, 2, 3, 4:
		m.version++
		m.put(i, record{m.version, testData(nil, i, m.version, size), true, r.pins})
	case 5:
		m.put(i, record{-1, nil, false, r.pins})
	case 6: // the same data under another version, from the cache's own memory
		if e, ok := m.get(i); ok && e.Exists {
			m.c.Put(name, e.Version+1, e.Data[:len(e.Data)/2])
			r.version, r.data = r.version+1, r.data[:len(r.data)/2]
			m.records[i] = r
			m.changed(i)
		}
	case 7, 8:
		if known {
			m.c.Pin(name)
			r.pins++
			m.records[i] = r
		}
	case 9, 10, 11:
		m.c.Unpin(name)
		if known && r.pins > 0 {
			r.pins--
			m.records[i] = r
			m.last = 0
			m.settle()
		}
	case 12:
		m.c.Remove(name)
		delete(m.records, i)
	default:
		m.get(i)
	}
}

func (m *model) put(i int, r record) {
	if r.exists {
		m.c.Put(testName(nil, i), r.version, r.data)
	} else {
		m.c.PutAbsent(testName(nil, i))
	}
	m.records[i] = r
	m.changed(i)
}

// changed notes the entry that may stand outside the budget until the next change.
func (m *model) changed(i int) {
	_, e := m.c.find(m.c.hash(testName(nil, i)), testName(nil, i))
	if e == nil {
		m.t.Fatalf("name %d was evicted by its own Put", i)
	}
	m.last = e.charge()
	m.settle()
}

// settle verifies the budget after a change, and that nothing was evicted without need.
func (m *model) settle() {
	s := m.c.Stats()
	if m.c.Bytes() > max(modelBytesMax, s.PinnedBytes+m.last) {
		m.t.Fatalf("%d bytes, of which %d pinned and %d just put", m.c.Bytes(), s.PinnedBytes, m.last)
	}
	if s.Evictions > m.evictions && m.c.Bytes() <= modelBytesMax-entryCharge-classCharge[classOf(50_000)] {
		m.t.Fatalf("an eviction left %d bytes of %d", m.c.Bytes(), modelBytesMax)
	}
	m.dropped += int(s.Evictions - m.evictions)
	m.evictions = s.Evictions
}

// sync returns what the model has of a name, which it forgets if the cache evicted it.
func (m *model) sync(i int) (record, bool) {
	r, known := m.records[i]
	if known && !has(m.c, i) {
		if r.pins > 0 {
			m.t.Fatalf("name %d was evicted with %d pins", i, r.pins)
		}
		m.dropped--
		delete(m.records, i)
		return record{}, false
	}
	return r, known
}

// get compares one answer.
func (m *model) get(i int) (Entry, bool) {
	r, known := m.sync(i)
	e, ok := m.c.Get(testName(nil, i))
	if ok {
		m.stats.Hits++
	} else {
		m.stats.Misses++
	}
	if ok != known || e.Exists != r.exists || e.Version != r.version || !bytes.Equal(e.Data, r.data) {
		m.t.Fatalf("Get %d: version %d, %d bytes, %v, %v; want version %d, %d bytes, %v, %v",
			i, e.Version, len(e.Data), e.Exists, ok, r.version, len(r.data), r.exists, known)
	}
	if (e.Data != nil) != e.Exists || cap(e.Data) != len(e.Data) {
		m.t.Fatalf("Get %d: %v, data is nil: %v, %d of %d bytes", i, e.Exists, e.Data == nil, len(e.Data), cap(e.Data))
	}
	return e, ok
}

// compare verifies the whole content, the counts and the structure.
func (m *model) compare() {
	check(m.t, m.c)
	pinned := 0
	for i := range m.names {
		r, known := m.sync(i)
		if known {
			m.get(i)
		} else if has(m.c, i) {
			m.t.Fatalf("name %d is there, removed before", i)
		}
		if r.pins > 0 {
			pinned++
		}
	}
	s := m.c.Stats()
	if m.c.Len() != len(m.records) || m.dropped != 0 || s.Pinned != pinned ||
		s.Hits != m.stats.Hits || s.Misses != m.stats.Misses {
		m.t.Fatalf("Len %d, want %d; %d evictions unexplained; %d pinned, want %d; %+v, want %+v",
			m.c.Len(), len(m.records), m.dropped, s.Pinned, pinned, s, m.stats)
	}
}

// drain removes everything: nothing may be left.
func (m *model) drain() {
	for i := range m.names {
		m.c.Remove(testName(nil, i))
	}
	check(m.t, m.c)
	if m.c.Len() != 0 || m.c.Bytes() != 0 || m.c.Stats().Pinned != 0 {
		m.t.Fatalf("%d entries, %d bytes, %+v left", m.c.Len(), m.c.Bytes(), m.c.Stats())
	}
}

func TestModel(t *testing.T) {
	for seed, names := range []int{3, 40, 250, 250} {
		t.Logf("seed %d", seed)
		r := rand.New(rand.NewPCG(uint64(seed), 0))
		prog := make([]byte, 3*10_000)
		for i := range prog {
			prog[i] = byte(r.Uint32())
		}
		play(t, names, prog)
	}
}

func FuzzCache(f *testing.F) {
	for _, prog := range [][]byte{
		// Removed with a pin, put again, unpinned.
		{0, 0, 4, 7, 0, 0, 12, 0, 0, 0, 0, 4, 9, 0, 0},
		// Shrunk from its own view, twice.
		{0, 0, 8, 6, 0, 0, 6, 0, 0, 13, 0, 0},
		// Large blocks close a gap.
		{0, 0, 10, 0, 1, 11, 0, 2, 10, 12, 0, 0, 0, 2, 4},
		// Pinned past the budget, then one pin undone.
		{0, 0, 11, 7, 0, 0, 0, 1, 11, 7, 1, 0, 0, 2, 11, 7, 2, 0, 0, 3, 11, 7, 3, 0, 0, 4, 11, 0, 5, 11, 9, 0, 0},
		// Everything, and again.
		bytes.Repeat([]byte{0, 1, 9, 5, 2, 0, 0, 3, 9, 13, 1, 0, 7, 3, 0, 0, 4, 8, 9, 3, 0, 12, 2, 0}, 8),
	} {
		f.Add(prog)
	}
	f.Fuzz(func(t *testing.T, prog []byte) {
		if len(prog) > 3*400 {
			return
		}
		play(t, 30, prog)
	})
}
