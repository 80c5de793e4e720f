package cache

import (
	"fmt"
	"testing"
	"unsafe"
)

// hashes are what the suite runs with: all bits, few distinct values, one value.
var hashes = []struct {
	name string
	mask uint32
}{{"good", ^uint32(0)}, {"few", 7 << 29}, {"constant", 0}}

func newTestCache(bytesMax int64, hashMask uint32) *Cache {
	c := New(Options{BytesMax: bytesMax})
	c.hashMask = hashMask
	return c
}

// testName returns a name of 16 bytes.
func testName(buf []byte, i int) []byte { return fmt.Appendf(buf[:0], "user/%011d", i) }

// testData returns size bytes that differ between versions and names.
func testData(buf []byte, i int, version int32, size int) []byte {
	buf = buf[:0]
	for x := uint32(i)*2654435761 + uint32(version)*40503; len(buf) < size; x = x*1664525 + 1013904223 {
		buf = append(buf, byte(x>>24))
	}
	return buf
}

// has reports whether name i is cached, without counting as a use.
func has(c *Cache, i int) bool {
	name := testName(nil, i)
	_, e := c.find(c.hash(name), name)
	return e != nil
}

// check verifies every invariant of the structure.
func check(t testing.TB, c *Cache) {
	t.Helper()
	var bytes, pinnedBytes int64
	var blocks [classes]uint32
	for id := range c.entries.size {
		e := c.entries.at(id)
		bytes += e.charge()
		if id < c.pinned {
			pinnedBytes += e.charge()
		}
		blocks[e.class]++
		if (e.pins > 0) != (id < c.pinned) {
			t.Fatalf("entry %d of %d, %d pinned, has %d pins", id, c.entries.size, c.pinned, e.pins)
		}
		if owner := ownerOf(c.arena.block(e.class, e.ref)); owner != id {
			t.Fatalf("the block of entry %d belongs to %d", id, owner)
		}
		if found, _ := c.find(e.hash, c.name(e)); found != id || e.hash != c.hash(c.name(e)) {
			t.Fatalf("entry %d, %q, is found as %d", id, c.name(e), found)
		}
	}
	if bytes != c.Bytes() || pinnedBytes != c.Stats().PinnedBytes {
		t.Fatalf("entries take %d bytes, %d pinned; Bytes %d, Stats %+v", bytes, pinnedBytes, c.Bytes(), c.Stats())
	}
	checkArena(t, &c.arena, blocks)
	checkIndex(t, &c.index, int(c.entries.size))
	if chunks := (int(c.entries.size) + chunkEntries - 1) / chunkEntries; len(c.entries.chunks) > max(chunks+1, 2) {
		t.Fatalf("%d chunks for %d entries", len(c.entries.chunks), c.entries.size)
	}
}

func checkArena(t testing.TB, a *arena, blocks [classes]uint32) {
	t.Helper()
	large := 0
	for class, n := range blocks {
		if class >= spanClasses {
			large += int(n)
			continue
		}
		perSpan := spanBytes / classBytes[class]
		if s := &a.slabs[class]; s.used != n || len(s.spans) != int((n+perSpan-1)/perSpan) {
			t.Fatalf("%d blocks of %d bytes: %d in use, %d spans", n, classBytes[class], s.used, len(s.spans))
		}
	}
	if len(a.large) != large || len(a.spare) > sparesMax {
		t.Fatalf("%d large blocks of %d in use, %d spare spans", len(a.large), large, len(a.spare))
	}
}

func checkIndex(t testing.TB, x *index, want int) {
	t.Helper()
	size := 0
	for i := range x.segments {
		s, filled := &x.segments[i], 0
		for _, word := range s.slots {
			if word != 0 {
				filled++
			}
		}
		n := len(s.slots)
		if filled != s.size || s.size*5 > n*4 || n > segmentSlotsMin && s.size*5 < n*2 {
			t.Fatalf("segment %d: size %d, %d of %d slots filled", i, s.size, filled, n)
		}
		size += filled
	}
	if size != want {
		t.Fatalf("%d entries indexed, want %d", size, want)
	}
}

func TestSizes(t *testing.T) {
	if size := unsafe.Sizeof(entry{}); size != 24 {
		t.Errorf("an entry takes %d bytes, want 24", size)
	}
	if size := unsafe.Sizeof(Cache{}); size > 36<<10 {
		t.Errorf("an empty cache takes %d bytes, want 36 KiB at most", size)
	}
}

func TestClasses(t *testing.T) {
	largest := ownerBytes + NameBytesMax + DataBytesMax
	for size := 1; size <= largest; size += 1 + size/97 {
		class := classOf(size)
		if int(classBytes[class]) < size || class > 0 && int(classBytes[class-1]) >= size {
			t.Fatalf("%d bytes in class %d of %d bytes", size, class, classBytes[class])
		}
	}
	for class, size := range classBytes {
		if got := classOf(int(size)); int(got) != class {
			t.Fatalf("%d bytes in class %d, want %d", size, got, class)
		}
	}
	if int(classOf(largest)) != classes-1 || classBytes[spanClasses-1] != 16<<10 {
		t.Fatalf("the largest block has class %d, the last shared class %d bytes", classOf(largest), classBytes[spanClasses-1])
	}
}
