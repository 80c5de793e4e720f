package registry

import (
	"math/bits"
	"sync/atomic"
	"unsafe"
)

const (
	spanUnits  = 1 << spanShift // words in a span: 64 KiB
	spanShift  = 13
	spansMax   = 1 << (32 - spanShift) // 32 GiB of blocks in one arena
	classesMax = 96                    // blocks up to 2^25 words

	// emptyMin spans, and an eighth of those in use, stay ready for the next block when they are
	// empty. The memory of others is returned to the collector.
	emptyMin = 16
)

// classUnits is the size of each class in words of 8 bytes: 1 to 8, then four steps a doubling, so
// that a block wastes a fifth at most.
var classUnits = func() (units [classesMax]uint32) {
	for c := range units {
		if c < 8 {
			units[c] = uint32(c) + 1
			continue
		}
		low := uint32(8) << ((c - 8) / 4)
		units[c] = low + low/4*uint32((c-8)%4+1)
	}
	return units
}()

// classOf returns the smallest class of at least units words; units is 1 to 2^25.
func classOf(units uint32) uint8 {
	if units <= 8 {
		return uint8(units - 1)
	}
	k := bits.Len32(units-1) - 4 // doublings above 8
	return uint8(8 + 4*k + int((units-1)>>(k+1)&3))
}

// arena hands out blocks of words, by size class, from spans of 64 KiB. A span whose blocks are all
// free again serves any class, so that a change of sizes does not leave memory behind; all but a few
// of them are returned to the collector. A block larger than a span is an allocation of its own, which
// its release returns as well.
//
// One goroutine at a time may allocate and release. view may run beside it for blocks not larger
// than a span: the directory entry of a span is written before a ref into it is published, and does
// not change while there is a ref.
type arena struct {
	dir     atomic.Pointer[[][]uint64] // memory of each span
	spans   []span
	partial [classesMax]uint32 // lists of spans with a free block; indexes are plus one, 0 ends
	empty   uint32             // list of spans without a used block
	empties int                // length of that list
	bare    uint32             // list of spans without memory
	bares   int                // length of that list
	words   uint64             // in blocks handed out
	limit   int                // spansMax; tests run out sooner
}

// span is the bookkeeping of one span.
type span struct {
	next, prev uint32 // in a list of spans, indexes plus one
	head       uint16 // list of released blocks, through their first word; indexes plus one
	bump       uint16 // blocks ever used
	used       uint16
	class      uint8
}

func (a *arena) init() {
	a.dir.Store(new([][]uint64))
	a.limit = spansMax
}

// alloc returns a block of class, of which the contents are undefined, or false if the arena is full.
func (a *arena) alloc(class uint8) (ref uint32, ok bool) {
	units := classUnits[class]
	if units > spanUnits {
		s, ok := a.adopt(units)
		if !ok {
			return 0, false
		}
		a.words += uint64(units)
		return (s - 1) << spanShift, true
	}
	s := a.partial[class]
	if s == 0 {
		if s, ok = a.open(class); !ok {
			return 0, false
		}
	}
	sp := &a.spans[s-1]
	block := uint32(sp.bump)
	if sp.head != 0 {
		block = uint32(sp.head) - 1
		sp.head = uint16((*a.dir.Load())[s-1][block*units])
	} else {
		sp.bump++
	}
	sp.used++
	if sp.full(units) {
		a.unlink(s)
	}
	a.words += uint64(units)
	return (s-1)<<spanShift | block*units, true
}

// release takes back a block that alloc returned for class.
func (a *arena) release(ref uint32, class uint8) {
	s, units := ref>>spanShift+1, classUnits[class]
	sp := &a.spans[s-1]
	a.words -= uint64(units)
	if units > spanUnits {
		a.strip(s)
		return
	}
	if sp.full(units) {
		a.link(s)
	}
	offset := ref % spanUnits
	(*a.dir.Load())[s-1][offset] = uint64(sp.head)
	sp.head = uint16(offset/units) + 1
	if sp.used--; sp.used == 0 {
		a.unlink(s)
		*sp = span{next: a.empty}
		a.empty = s
		a.empties++
		a.trim()
	}
}

// trim returns the memory of up to two empty spans, so that a shrinking arena gets rid of more than
// become empty.
func (a *arena) trim() {
	for range 2 {
		inUse := len(a.spans) - a.bares - a.empties
		if a.empties <= emptyMin+inUse/8 {
			return
		}
		a.strip(a.takeEmpty())
	}
}

// strip takes the memory of a span that is in no list. A reader beside us has no ref into it.
func (a *arena) strip(s uint32) {
	(*a.dir.Load())[s-1] = nil
	a.spans[s-1] = span{next: a.bare}
	a.bare = s
	a.bares++
}

// takeEmpty takes a span from the list of empty ones, which has some.
func (a *arena) takeEmpty() (s uint32) {
	s = a.empty
	a.empty = a.spans[s-1].next
	a.empties--
	return s
}

// view returns the words of a block.
func (a *arena) view(ref uint32, class uint8) []uint64 { return a.head(ref, classUnits[class]) }

// head returns the first n words of a block.
func (a *arena) head(ref, n uint32) []uint64 {
	mem := (*a.dir.Load())[ref>>spanShift]
	offset := ref % spanUnits
	return mem[offset : offset+n : offset+n]
}

// open prepares an empty span for class, at the head of its list.
func (a *arena) open(class uint8) (s uint32, ok bool) {
	if a.empty != 0 {
		s = a.takeEmpty()
	} else if s, ok = a.adopt(spanUnits); !ok {
		return 0, false
	}
	a.spans[s-1] = span{class: class}
	a.link(s)
	return s, true
}

// adopt returns a span, one without memory or a new one, with fresh memory of units words.
func (a *arena) adopt(units uint32) (s uint32, ok bool) {
	if s = a.bare; s != 0 {
		a.bare = a.spans[s-1].next
		a.bares--
		(*a.dir.Load())[s-1] = make([]uint64, units) // published by whatever publishes a ref into it
		return s, true
	}
	if len(a.spans) >= a.limit {
		return 0, false
	}
	dir := append(*a.dir.Load(), make([]uint64, units))
	a.dir.Store(&dir) // publishes: a reader with a ref into this span got it after this store
	a.spans = append(a.spans, span{})
	return uint32(len(a.spans)), true
}

func (sp *span) full(units uint32) bool {
	return sp.head == 0 && uint32(sp.bump)*units+units > spanUnits
}

// link puts s at the head of its class's list of spans with a free block.
func (a *arena) link(s uint32) {
	sp := &a.spans[s-1]
	head := &a.partial[sp.class]
	sp.next, sp.prev = *head, 0
	if *head != 0 {
		a.spans[*head-1].prev = s
	}
	*head = s
}

func (a *arena) unlink(s uint32) {
	sp := &a.spans[s-1]
	if sp.prev != 0 {
		a.spans[sp.prev-1].next = sp.next
	} else {
		a.partial[sp.class] = sp.next
	}
	if sp.next != 0 {
		a.spans[sp.next-1].prev = sp.prev
	}
}

// asBytes returns the first n bytes of a block.
func asBytes(words []uint64, n int) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)[:n:n]
}

// asSlots returns a block as a list of two slots a word.
func asSlots(words []uint64) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(&words[0])), len(words)*2)
}
