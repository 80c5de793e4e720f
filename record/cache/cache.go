package cache

import (
	"fmt"
	"hash/maphash"

	"deepstream-fast/internal/invariant"
)

// Limits. Put and PutAbsent panic past the first two: what may become a record is decided earlier.
const (
	// NameBytesMax is the longest name.
	NameBytesMax = 1<<16 - 1
	// DataBytesMax is the largest data of a record.
	DataBytesMax = 16 << 20
	// BytesMaxLimit is the largest budget: fewer than 2^32 of the smallest entries.
	BytesMaxLimit = 128 << 30
	// BytesMaxDefault is the budget if none is given: that of a node with a single loop.
	BytesMaxDefault = 256 << 20
)

// Version of a name known to be absent, as in a HEAD_RESPONSE.
const absentVersion = -1

// Options are the dimensions of a Cache.
type Options struct {
	// BytesMax is the budget for all entries, from cache.options.maxBytes shared among the loops.
	// 0 is BytesMaxDefault.
	BytesMax int64
}

// Entry is what the cache knows of a name.
type Entry struct {
	Version int32  // -1 if the name is known to be absent
	Data    []byte // JSON, a view until the next change of the cache; nil if absent
	Exists  bool
}

// Stats are counts since New, and what is pinned now.
type Stats struct {
	Hits, Misses, Evictions uint64
	Pinned                  int   // entries
	PinnedBytes             int64 // their share of Bytes
}

// Cache is the records of one home loop. All of it is owned by that loop's goroutine.
type Cache struct {
	// Set by New, then constant.
	bytesMax int64
	seed     maphash.Seed
	hashMask uint32 // all ones; tests let names collide with less

	index   index
	entries entries // numbers below pinned are the pinned ones
	arena   arena
	pinned  uint32
	hand    uint32 // number of the entry that the clock looks at next

	bytes, pinnedBytes      int64
	hits, misses, evictions uint64
}

// New returns an empty cache. It panics if opts.BytesMax is negative or over BytesMaxLimit.
func New(opts Options) *Cache {
	if opts.BytesMax < 0 || opts.BytesMax > BytesMaxLimit {
		panic("cache: Options.BytesMax out of range")
	}
	if opts.BytesMax == 0 {
		opts.BytesMax = BytesMaxDefault
	}
	return &Cache{bytesMax: opts.BytesMax, seed: maphash.MakeSeed(), hashMask: ^uint32(0)}
}

// Len returns the number of names, the absent ones included.
func (c *Cache) Len() int { return int(c.entries.size) }

// Bytes returns what the entries take: their blocks, themselves and their part of the index.
func (c *Cache) Bytes() int64 { return c.bytes }

// Stats returns the counts.
func (c *Cache) Stats() Stats {
	return Stats{c.hits, c.misses, c.evictions, int(c.pinned), c.pinnedBytes}
}

// Get returns what is known of name, or false if nothing is.
// Hot path: 0 allocs, see BenchmarkGet.
func (c *Cache) Get(name []byte) (Entry, bool) {
	_, e := c.find(c.hash(name), name)
	if e == nil {
		c.misses++
		return Entry{}, false
	}
	c.hits++
	e.flags |= used
	if e.flags&exists == 0 {
		return Entry{Version: e.version}, true
	}
	return Entry{e.version, c.data(e), true}, true
}

// Put sets the record of name, which keeps its pins if it has any. Both slices are copied; data may
// be a view that Get returned. What does not fit the budget is evicted, but not name.
// Hot path: 0 allocs within a size class, see BenchmarkPut.
func (c *Cache) Put(name []byte, version int32, data []byte) { c.put(name, version, data, exists) }

// PutAbsent notes that there is no record of name. Pins and budget are as with Put.
func (c *Cache) PutAbsent(name []byte) { c.put(name, absentVersion, nil, 0) }

// Remove forgets name and its pins. A deletion that the store has yet to confirm is a PutAbsent
// instead: a forgotten name is loaded again, and the store may still have it.
func (c *Cache) Remove(name []byte) {
	if id, e := c.find(c.hash(name), name); e != nil {
		c.remove(id)
	}
}

func (c *Cache) put(name []byte, version int32, data []byte, flags uint8) {
	if len(name) == 0 || len(name) > NameBytesMax || len(data) > DataBytesMax {
		panic(fmt.Sprintf("cache: name of %d bytes, data of %d", len(name), len(data)))
	}
	hash := c.hash(name)
	class := classOf(ownerBytes + len(name) + len(data))
	id, e := c.find(hash, name)
	switch {
	case e == nil:
		id, e = c.add(hash, name, class, data)
	case e.class == class:
		copy(c.arena.block(class, e.ref)[ownerBytes+len(name):], data)
		flags |= used
	default:
		c.rehouse(id, e, name, class, data)
		flags |= used
	}
	e.version, e.dataSize, e.flags = version, uint32(len(data)), flags
	c.trim(id)
}

// add makes an entry that is not there. It counts as unused until somebody asks for it: names that
// are read once leave before those that are read again.
func (c *Cache) add(hash uint32, name []byte, class uint8, data []byte) (uint32, *entry) {
	invariant.Assert(c.entries.size < nothing-1, "cache: out of entry numbers")
	id := c.entries.push(entry{hash: hash, nameSize: uint16(len(name)), class: class})
	e := c.entries.at(id)
	e.ref = c.store(id, name, class, data)
	c.index.insert(hash, id)
	c.bytes += e.charge()
	return id, e
}

// rehouse moves an entry to a block of another class, with new data. The old block goes last: data
// may be a view of it.
func (c *Cache) rehouse(id uint32, e *entry, name []byte, class uint8, data []byte) {
	old := *e
	e.class, e.ref = class, c.store(id, name, class, data)
	c.release(&old)
	grown := e.charge() - old.charge()
	c.bytes += grown
	if id < c.pinned {
		c.pinnedBytes += grown
	}
}

// store fills a new block.
func (c *Cache) store(id uint32, name []byte, class uint8, data []byte) (ref uint32) {
	ref = c.arena.alloc(class)
	b := c.arena.block(class, ref)
	setOwner(b, id)
	copy(b[ownerBytes+copy(b[ownerBytes:], name):], data)
	return ref
}

// release gives back the block that e describes and tells the entry whose block took its place.
func (c *Cache) release(e *entry) {
	if owner, moved := c.arena.release(e.class, e.ref); moved {
		c.entries.at(owner).ref = e.ref
	}
}

// remove takes an entry out, pinned or not, and lets the last one have its number.
func (c *Cache) remove(id uint32) {
	if id < c.pinned {
		id = c.unpin(id)
	}
	e := c.entries.at(id)
	c.bytes -= e.charge()
	c.index.remove(e.hash, id)
	c.release(e)
	if last := c.entries.size - 1; id != last {
		*e = *c.entries.at(last)
		*c.index.slot(e.hash, last) = slotWord(e.hash, id)
		setOwner(c.arena.block(e.class, e.ref), id)
	}
	c.entries.pop()
}

// find returns the entry of name, or nil.
func (c *Cache) find(hash uint32, name []byte) (uint32, *entry) {
	s := c.index.segment(hash)
	if len(s.slots) == 0 {
		return 0, nil
	}
	for i := s.home(uint64(hash) << 32); ; i = s.next(i) {
		word := s.slots[i]
		if word == 0 {
			return 0, nil
		}
		if uint32(word>>32) != hash {
			continue
		}
		id := uint32(word) - 1
		if e := c.entries.at(id); string(c.name(e)) == string(name) {
			return id, e
		}
	}
}

func (c *Cache) name(e *entry) []byte {
	return c.arena.block(e.class, e.ref)[ownerBytes:][:e.nameSize]
}

func (c *Cache) data(e *entry) []byte {
	return c.arena.block(e.class, e.ref)[ownerBytes+int(e.nameSize):][:e.dataSize:e.dataSize]
}

func (c *Cache) hash(name []byte) uint32 {
	return uint32(maphash.Bytes(c.seed, name)>>16) & c.hashMask
}
