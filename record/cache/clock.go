package cache

import "deepstream-fast/internal/invariant"

// chancesMax is how many used entries the hand spares in a row. Then it takes one all the same, so
// that a cache full of used entries costs an eviction a microsecond and not a whole round.
const chancesMax = 1024

// nothing is the number of no entry.
const nothing = ^uint32(0)

// Pin keeps the entry of name, which is there, until as many calls of Unpin. A write pins what the
// store has yet to confirm.
func (c *Cache) Pin(name []byte) {
	id, e := c.find(c.hash(name), name)
	if e == nil {
		if invariant.Enabled {
			invariant.Assert(false, "cache: pin of %q, which is not there", name)
		}
		return
	}
	if e.pins++; e.pins == 1 {
		c.pinnedBytes += e.charge()
		c.swap(id, c.pinned)
		c.pinned++
	}
}

// Unpin undoes one Pin. With the last one the entry may be evicted, at once if the budget asks for
// it. A name that has no pin, since Remove took it, stays as it is.
func (c *Cache) Unpin(name []byte) {
	id, e := c.find(c.hash(name), name)
	if e == nil || e.pins == 0 {
		return
	}
	if e.pins--; e.pins == 0 {
		e.flags |= used // what was written will be read
		c.unpin(id)
		c.trim(nothing)
	}
}

// unpin moves an entry from the pinned ones to the others and returns its new number.
func (c *Cache) unpin(id uint32) uint32 {
	c.pinnedBytes -= c.entries.at(id).charge()
	c.pinned--
	c.swap(id, c.pinned)
	return c.pinned
}

// swap lets two entries have each other's number.
func (c *Cache) swap(i, j uint32) {
	if i == j {
		return
	}
	a, b := c.entries.at(i), c.entries.at(j)
	slotA, slotB := c.index.slot(a.hash, i), c.index.slot(b.hash, j) // both before either changes
	*slotA, *slotB = slotWord(a.hash, j), slotWord(b.hash, i)
	*a, *b = *b, *a
	setOwner(c.arena.block(a.class, a.ref), i)
	setOwner(c.arena.block(b.class, b.ref), j)
}

// trim evicts entries other than keep until the rest is within the budget or nothing is left to take.
func (c *Cache) trim(keep uint32) {
	for c.bytes > c.bytesMax {
		id := c.victim(keep)
		if id == nothing {
			return
		}
		c.remove(id)
		c.evictions++
		if keep == c.entries.size { // it was the last and has the victim's number now
			keep = id
		}
	}
}

// victim advances the hand to the next entry that is not pinned, not keep, and that nobody used since
// the hand last passed.
func (c *Cache) victim(keep uint32) uint32 {
	candidates := c.entries.size - c.pinned
	if keep >= c.pinned && keep != nothing {
		candidates--
	}
	if candidates == 0 {
		return nothing
	}
	for chances := chancesMax; ; {
		id := c.hand
		if id < c.pinned || id >= c.entries.size {
			id = c.pinned
		}
		c.hand = id + 1
		if id == keep {
			continue
		}
		e := c.entries.at(id)
		if e.flags&used == 0 || chances == 0 {
			return id
		}
		e.flags &^= used
		chances--
	}
}
