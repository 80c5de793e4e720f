package cache

import (
	"strings"
	"testing"
)

func TestGetReturnsWhatWasPut(t *testing.T) {
	c := New(Options{})
	if e, ok := c.Get([]byte("a")); ok || e.Exists {
		t.Fatalf("empty cache: %+v, %v", e, ok)
	}
	c.Put([]byte("a"), 3, []byte(`{"n":1}`))
	c.PutAbsent([]byte("b"))
	if e, ok := c.Get([]byte("a")); !ok || !e.Exists || e.Version != 3 || string(e.Data) != `{"n":1}` {
		t.Fatalf("a: %+v, %v", e, ok)
	}
	if e, ok := c.Get([]byte("b")); !ok || e.Exists || e.Version != -1 || e.Data != nil {
		t.Fatalf("b: %+v, %v", e, ok)
	}
	c.PutAbsent([]byte("a"))
	c.Put([]byte("b"), 0, []byte(`{}`))
	c.Remove([]byte("c"))
	if e, ok := c.Get([]byte("a")); !ok || e.Exists {
		t.Fatalf("a, deleted: %+v, %v", e, ok)
	}
	if e, ok := c.Get([]byte("b")); !ok || !e.Exists || e.Version != 0 || string(e.Data) != `{}` {
		t.Fatalf("b, created: %+v, %v", e, ok)
	}
	if s := c.Stats(); s.Hits != 4 || s.Misses != 1 || c.Len() != 2 {
		t.Fatalf("%+v, %d names", s, c.Len())
	}
}

func TestLimits(t *testing.T) {
	c := New(Options{BytesMax: 1})
	name, data := []byte(strings.Repeat("n", NameBytesMax)), make([]byte, DataBytesMax)
	data[DataBytesMax-1] = '}'
	c.Put(name, 1, data)
	e, ok := c.Get(name)
	if !ok || len(e.Data) != DataBytesMax || e.Data[DataBytesMax-1] != '}' {
		t.Fatalf("the largest record: %d bytes, %v", len(e.Data), ok)
	}
	for _, f := range []struct {
		name string
		call func()
	}{
		{"no name", func() { c.Put(nil, 1, data) }},
		{"long name", func() { c.PutAbsent(append(name, 'n')) }},
		{"much data", func() { c.Put(name, 1, append(data, ' ')) }},
		{"negative budget", func() { New(Options{BytesMax: -1}) }},
		{"large budget", func() { New(Options{BytesMax: BytesMaxLimit + 1}) }},
	} {
		if !panics(f.call) {
			t.Errorf("%s: no panic", f.name)
		}
	}
	check(t, c)
}

func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// Pinned entries may take more than the budget. It holds again when their pins are gone.
func TestPinnedExceedBudget(t *testing.T) {
	const n, bytesMax = 1000, 64 << 10
	c := newTestCache(bytesMax, ^uint32(0))
	data := make([]byte, 200)
	for i := range n {
		name := testName(nil, i)
		c.Put(name, 1, data)
		c.Pin(name)
		c.Pin(name)
	}
	if s := c.Stats(); s.Pinned != n || s.PinnedBytes != c.Bytes() || c.Bytes() < 3*bytesMax || s.Evictions != 0 {
		t.Fatalf("%d bytes, %+v", c.Bytes(), s)
	}
	for i := n; i < 2*n; i++ { // each takes the place of the one before, and none searches the pinned ones
		c.PutAbsent(testName(nil, i))
		if c.Len() != n+1 || !has(c, i) || i > n && c.hand < c.pinned {
			t.Fatalf("%d names beside %d pinned ones, hand at %d", c.Len(), n, c.hand)
		}
	}
	for i := range n {
		c.Unpin(testName(nil, i))
	}
	if s := c.Stats(); s.Pinned != n {
		t.Fatalf("one of two pins undone: %+v", s)
	}
	for i := range n {
		c.Unpin(testName(nil, i))
		if s := c.Stats(); c.Bytes() > max(bytesMax, s.PinnedBytes) {
			t.Fatalf("%d bytes, %+v", c.Bytes(), s)
		}
	}
	if s := c.Stats(); s.Pinned != 0 || s.PinnedBytes != 0 || c.Len() < 150 {
		t.Fatalf("%d names, %+v", c.Len(), s)
	}
	check(t, c)
}

// A record larger than the budget is there until something else is put.
func TestLargerThanBudget(t *testing.T) {
	c := newTestCache(64<<10, ^uint32(0))
	for i := range 10 {
		c.Put(testName(nil, i), 1, make([]byte, 1<<20))
		if c.Len() != 1 || !has(c, i) {
			t.Fatalf("%d names after putting %d", c.Len(), i)
		}
	}
	c.PutAbsent(testName(nil, 10))
	if c.Len() != 1 || !has(c, 10) || c.Bytes() > 64<<10 {
		t.Fatalf("%d names, %d bytes", c.Len(), c.Bytes())
	}
}

// Unused entries leave in the order in which they came.
func TestEvictionOrder(t *testing.T) {
	c := newTestCache(1<<20, ^uint32(0))
	data := make([]byte, 200)
	for i := range 20_000 {
		c.Put(testName(nil, i), 1, data)
		if n := c.Len(); c.Stats().Evictions > 0 && (has(c, i-n) || !has(c, i-n+1)) {
			t.Fatalf("%d names after putting %d, and they are not the last ones", n, i)
		}
	}
	if want := (1 << 20) / (entryCharge + classCharge[classOf(220)]); c.Len() != int(want) {
		t.Fatalf("%d names fit, want %d", c.Len(), want)
	}
}

// Names in use stay while a stream of names that are read once passes through, ten times as much as
// fits. So do names that only are written.
func TestEvictionFairness(t *testing.T) {
	const hot, stream = 1500, 40_000
	for _, u := range []struct {
		name string
		use  func(c *Cache, name []byte)
	}{
		{"read", func(c *Cache, name []byte) { c.Get(name) }},
		{"written", func(c *Cache, name []byte) {
			if has(c, atoi(name)) {
				c.Put(name, 1, make([]byte, 200))
			}
		}},
		{"pinned for a while", func(c *Cache, name []byte) {
			if has(c, atoi(name)) {
				c.Pin(name)
				c.Unpin(name)
			}
		}},
	} {
		t.Run(u.name, func(t *testing.T) {
			c := newTestCache(1<<20, ^uint32(0))
			for i := range hot {
				c.Put(testName(nil, i), 1, make([]byte, 200))
			}
			for i := range stream {
				c.Put(testName(nil, hot+i), 1, make([]byte, 200))
				u.use(c, testName(nil, i%hot))
			}
			kept := 0
			for i := range hot {
				if has(c, i) {
					kept++
				}
			}
			if kept < hot*98/100 {
				t.Errorf("%d of %d names in use are left", kept, hot)
			}
			check(t, c)
		})
	}
}

func atoi(name []byte) (n int) {
	for _, d := range name[len("user/"):] {
		n = n*10 + int(d-'0')
	}
	return n
}

// Use is forgotten: names that were read long ago leave in the second round.
func TestUseFades(t *testing.T) {
	const old = 500
	c := newTestCache(1<<20, ^uint32(0))
	for i := range old {
		c.PutAbsent(testName(nil, i))
		c.Get(testName(nil, i))
	}
	round := (1 << 20) / int(c.Bytes()/old)
	for i := range 2 * round {
		if c.PutAbsent(testName(nil, old+i)); i == round && !has(c, 0) {
			t.Fatal("a name in use left in the first round")
		}
	}
	for i := range old {
		if has(c, i) {
			t.Fatalf("name %d is still there", i)
		}
	}
}

// In a cache full of used entries, one eviction looks at a bounded number of them.
func TestEvictionIsBounded(t *testing.T) {
	c := newTestCache(2<<20, ^uint32(0))
	for i := 0; c.Stats().Evictions == 0; i++ {
		c.PutAbsent(testName(nil, i))
	}
	for id := range c.entries.size {
		c.entries.at(id).flags |= used
	}
	before, evictions := c.hand, c.evictions
	c.PutAbsent([]byte("another"))
	if looked := c.hand - before; c.evictions != evictions+1 || looked != chancesMax+1 || c.entries.size < 4*chancesMax {
		t.Fatalf("%d evictions, %d of %d entries looked at", c.evictions-evictions, looked, c.entries.size)
	}
}

func TestAllocs(t *testing.T) {
	const n = 20_000
	c := newTestCache(4<<20, ^uint32(0))
	data, name := make([]byte, 200), make([]byte, 0, 64)
	fresh := n
	for i := range n {
		c.Put(testName(name, i), 1, data)
	}
	first, last := n-c.Len(), n
	names := make([][]byte, last-first)
	for i := range names {
		names[i] = testName(nil, first+i)
	}
	for _, op := range []struct {
		name string
		call func(name []byte)
	}{
		{"Get", func(name []byte) { c.Get(name) }},
		{"Get of an unknown name", func([]byte) { c.Get([]byte("unknown")) }},
		{"Put", func(name []byte) { c.Put(name, 2, data) }},
		{"Put of another size", func(name []byte) { c.Put(name, 3, data[:100+int(name[15])]) }},
		{"Pin and Unpin", func(name []byte) { c.Pin(name); c.Unpin(name) }},
		{"Remove and Put", func(name []byte) { c.Remove(name); c.Put(name, 4, data) }},
		{"Put and evict", func([]byte) {
			for at, x := len("user/"+"00000000000")-1, fresh; x > 0; at, x = at-1, x/10 {
				name[:16][at] = byte('0' + x%10)
			}
			fresh++
			c.Put(name[:16], 1, data)
		}},
	} {
		i := 0
		if allocs := testing.AllocsPerRun(5000, func() { op.call(names[i%len(names)]); i++ }); allocs != 0 {
			t.Errorf("%s: %v allocations", op.name, allocs)
		}
	}
	if c.Stats().Evictions < 5000 {
		t.Errorf("%d evictions: the cache was not full", c.Stats().Evictions)
	}
}
