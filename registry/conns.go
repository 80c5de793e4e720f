package registry

import (
	"math/bits"

	"deepstream-fast/internal/invariant"
)

const (
	chunkConns = 1024
	bagWords   = 8 // up to this size a table is searched from end to end
)

// conn is one connection's subscriptions: a table of entries in a block of the Loop's arena.
type conn struct {
	size    uint32
	block   uint32
	cursor  uint32 // while removing: all from here to the end of its chain is cleared
	class   uint8
	closing bool // RemoveConn has begun
}

// entry is a topic's id over the connection's position in its list. 0 is none.
type entry = uint64

// A table is a slice of entries: up to bagWords a bag with holes, above a hash table with linear
// probing and at most four fifths full. Nothing points at a place in it.

// find returns the place of id in table, or -1.
func find(table []entry, id uint32, seed uint64) int {
	if len(table) <= bagWords {
		for i, e := range table {
			if uint32(e>>32) == id {
				return i
			}
		}
		return -1
	}
	for i := scale(mix(id, seed), len(table)); ; {
		e := table[i]
		if uint32(e>>32) == id {
			return i
		}
		if e == 0 {
			return -1
		}
		if i++; i == len(table) {
			i = 0
		}
	}
}

// put adds an entry that is not there to a table with room.
func put(table []entry, e entry, seed uint64) {
	i := 0
	if len(table) > bagWords {
		i = scale(mix(uint32(e>>32), seed), len(table))
	}
	for table[i] != 0 {
		if i++; i == len(table) {
			i = 0
		}
	}
	table[i] = e
}

// drop clears the place gap and closes the gap.
func drop(table []entry, gap int, seed uint64) {
	for i := gap; len(table) > bagWords; {
		if i++; i == len(table) {
			i = 0
		}
		if table[i] == 0 {
			break
		}
		if !between(gap, scale(mix(uint32(table[i]>>32), seed), len(table)), i) {
			table[gap] = table[i]
			gap = i
		}
	}
	table[gap] = 0
}

// room returns how many entries a table of a class may hold.
func room(class uint8) uint32 {
	units := classUnits[class]
	if units <= bagWords {
		return units
	}
	return units * 4 / 5
}

// conn returns the connection in slot, or nil if nobody near it ever subscribed.
func (l *Loop) conn(slot uint32) *conn {
	if i := int(slot / chunkConns); i < len(l.conns) && l.conns[i] != nil {
		return &l.conns[i][slot%chunkConns]
	}
	return nil
}

// openConn returns the connection in slot, making its chunk if need be.
func (l *Loop) openConn(slot uint32) *conn {
	i := int(slot / chunkConns)
	for i >= len(l.conns) {
		l.conns = append(l.conns, nil)
	}
	if l.conns[i] == nil {
		l.conns[i] = new([chunkConns]conn)
	}
	return &l.conns[i][slot%chunkConns]
}

func (l *Loop) tableOf(c *conn) []entry {
	if c.size == 0 && !c.closing {
		return nil
	}
	return l.arena.view(c.block, c.class)
}

// reserve makes room for one more entry and reports whether there is.
func (l *Loop) reserve(c *conn) bool {
	switch {
	case c.size == 0:
		return l.resize(c, 0)
	case c.size < room(c.class):
		return true
	default:
		return c.class+2 < classesMax && l.resize(c, c.class+2)
	}
}

// resize moves the table to a block of class.
func (l *Loop) resize(c *conn, class uint8) bool {
	block, ok := l.arena.alloc(class)
	if !ok {
		return false
	}
	table := l.arena.view(block, class)
	clear(table)
	if c.size != 0 {
		for _, e := range l.tableOf(c) {
			if e != 0 {
				put(table, e, l.topics.seed)
			}
		}
		l.arena.release(c.block, c.class)
	}
	c.block, c.class = block, class
	return true
}

// dropEntry removes the entry at i and gives back memory that is no longer worth keeping.
func (l *Loop) dropEntry(c *conn, i int) {
	drop(l.tableOf(c), i, l.topics.seed)
	c.size--
	if c.size == 0 {
		l.arena.release(c.block, c.class)
	} else if c.size*4 <= room(c.class) && c.class >= bagWords {
		l.resize(c, c.class-4) // half; a full arena only means that it stays as it is
	}
}

// mix scatters ids, which are dense and handed out by us, over 32 bits. The seed is secret, so that
// a client cannot hold on to ids that collide.
func mix(id uint32, seed uint64) uint32 {
	hi, lo := bits.Mul64(uint64(id)^seed, 0x9E3779B97F4A7C15)
	return uint32((hi ^ lo) >> 32)
}

func (c *conn) assertOpen(slot uint32) {
	if invariant.Enabled {
		invariant.Assert(!c.closing, "registry: slot %d is used while RemoveConn is under way", slot)
	}
}
