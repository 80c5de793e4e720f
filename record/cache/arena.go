package cache

import (
	"encoding/binary"
	"math/bits"

	"deepstream-fast/internal/invariant"
)

const (
	spanBytes   = 64 << 10
	sparesMax   = 8  // spans kept for the next class that grows
	spanClasses = 40 // classes of up to 16 KiB, which share spans
	classes     = 81 // the last one is 20 MiB: ownerBytes, the longest name, the longest data
	ownerBytes  = 4  // at the head of a block: the number of its entry
)

// classBytes is the size of each class: steps of 8 up to 64, then four steps a doubling, so that a
// block wastes a fifth at most.
var classBytes = func() (sizes [classes]uint32) {
	for c := range sizes {
		if c < 8 {
			sizes[c] = 8 * uint32(c+1)
			continue
		}
		low := uint32(64) << ((c - 8) / 4)
		sizes[c] = low + low/4*uint32((c-8)%4+1)
	}
	return sizes
}()

// classCharge is what a block of each class costs the budget: its share of a span, rounded up.
var classCharge = func() (charges [classes]int64) {
	for c, size := range classBytes {
		charges[c] = int64(size)
		if c < spanClasses {
			perSpan := spanBytes / size
			charges[c] = int64((spanBytes + perSpan - 1) / perSpan)
		}
	}
	return charges
}()

// classOf returns the smallest class of at least size bytes; size is 1 to the last class's.
func classOf(size int) uint8 {
	if size <= 64 {
		return uint8((size - 1) / 8)
	}
	k := bits.Len32(uint32(size-1)) - 7 // doublings above 64
	return uint8(8 + 4*k + (size-1)>>(k+4)&3)
}

type span [spanBytes]byte

// arena hands out blocks of bytes by size class. The blocks of a class are numbered without gaps, so
// a release may move one; a ref is the number.
type arena struct {
	slabs [spanClasses]slab
	large [][]byte // blocks of all the other classes, in one numbering
	spare []*span
}

// slab is the blocks of one class.
type slab struct {
	spans []*span
	used  uint32 // blocks
}

// at returns a block of size bytes, of which perSpan fit in a span.
func (s *slab) at(ref, size uint32) []byte {
	perSpan := spanBytes / size
	offset := ref % perSpan * size
	return s.spans[ref/perSpan][offset : offset+size : offset+size]
}

// block returns the bytes of a block.
func (a *arena) block(class uint8, ref uint32) []byte {
	if class >= spanClasses {
		return a.large[ref]
	}
	return a.slabs[class].at(ref, classBytes[class])
}

// alloc returns a block with undefined contents. No other block moves.
func (a *arena) alloc(class uint8) (ref uint32) {
	size := classBytes[class]
	if class >= spanClasses {
		a.large = append(a.large, make([]byte, size))
		return uint32(len(a.large) - 1)
	}
	s := &a.slabs[class]
	if s.used == uint32(len(s.spans))*(spanBytes/size) {
		s.spans = append(s.spans, a.takeSpan())
	}
	s.used++
	return s.used - 1
}

// release takes a block back. If another one moved to its ref, owner is whose.
func (a *arena) release(class uint8, ref uint32) (owner uint32, moved bool) {
	var last uint32
	if class >= spanClasses {
		last = a.releaseLarge(ref)
	} else {
		last = a.releaseSmall(&a.slabs[class], ref, classBytes[class])
	}
	if ref == last {
		return 0, false
	}
	return ownerOf(a.block(class, ref)), true
}

func (a *arena) releaseLarge(ref uint32) (last uint32) {
	last = uint32(len(a.large) - 1)
	invariant.Poison(a.large[ref])
	a.large[ref] = a.large[last]
	a.large[last] = nil // to the collector
	a.large = a.large[:last]
	return last
}

func (a *arena) releaseSmall(s *slab, ref, size uint32) (last uint32) {
	s.used--
	last = s.used
	vacant := s.at(last, size)
	if ref != last {
		copy(s.at(ref, size), vacant)
	}
	invariant.Poison(vacant)
	if last%(spanBytes/size) == 0 {
		end := len(s.spans) - 1
		a.giveSpan(s.spans[end])
		s.spans[end] = nil
		s.spans = s.spans[:end]
	}
	return last
}

func (a *arena) takeSpan() *span {
	end := len(a.spare) - 1
	if end < 0 {
		return new(span)
	}
	s := a.spare[end]
	a.spare = a.spare[:end]
	return s
}

func (a *arena) giveSpan(s *span) {
	if len(a.spare) < sparesMax {
		a.spare = append(a.spare, s)
	}
}

func ownerOf(block []byte) uint32           { return binary.LittleEndian.Uint32(block) }
func setOwner(block []byte, entryID uint32) { binary.LittleEndian.PutUint32(block, entryID) }
