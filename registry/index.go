package registry

import "sync/atomic"

// tombstone is the slot of a removed topic. Its id half is never given out.
const tombstone = 1<<32 - 1

// index is one shard's hash table from name to id: a slot is hash over id, 0 is empty. Readers probe
// it while the shard's owner writes. A removal leaves a tombstone unless the probe chain ends right
// behind it, so that no chain a reader follows is ever cut.
type index struct {
	slots []atomic.Uint64
}

func newIndex(size int) *index { return &index{slots: make([]atomic.Uint64, size)} }

// home returns the slot where the probe for hash begins. The low bits of hash chose the shard.
func (x *index) home(hash uint32) int { return scale(hash, len(x.slots)) }

func (x *index) next(i int) int {
	if i++; i < len(x.slots) {
		return i
	}
	return 0
}

// insert adds an id that is not there and reports whether that took an empty slot. One is left.
func (x *index) insert(hash, id uint32) (filled bool) {
	i := x.home(hash)
	w := x.slots[i].Load()
	for w != 0 && w != tombstone {
		i = x.next(i)
		w = x.slots[i].Load()
	}
	x.slots[i].Store(uint64(hash)<<32 | uint64(id))
	return w == 0
}

// remove takes an id out that is there and returns how many slots became empty.
func (x *index) remove(hash, id uint32) (emptied int) {
	i := x.home(hash)
	for x.slots[i].Load() != uint64(hash)<<32|uint64(id) {
		i = x.next(i)
	}
	x.slots[i].Store(tombstone)
	if x.slots[x.next(i)].Load() != 0 {
		return 0
	}
	for x.slots[i].Load() == tombstone {
		x.slots[i].Store(0)
		emptied++
		if i--; i < 0 {
			i = len(x.slots) - 1
		}
	}
	return emptied
}

// scale maps hash onto [0, n) and keeps its order.
func scale(hash uint32, n int) int { return int(uint64(hash) * uint64(n) >> 32) }
