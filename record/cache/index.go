package cache

const segmentBits = 10

// index finds an entry by the hash of its name. It is cut into segments that grow and shrink each on
// its own, so that no change copies more than about a thousandth of it.
type index struct {
	segments [1 << segmentBits]segment
}

// segment is a hash table with linear probing, at most four fifths full and, unless small, at least
// two fifths. A slot is the hash over the entry's number plus one; 0 is empty.
type segment struct {
	slots []uint64
	size  int
}

func slotWord(hash, id uint32) uint64 { return uint64(hash)<<32 | uint64(id+1) }

func (x *index) segment(hash uint32) *segment { return &x.segments[hash>>(32-segmentBits)] }

// insert adds an entry that is not there.
func (x *index) insert(hash, id uint32) {
	s := x.segment(hash)
	if (s.size+1)*5 > len(s.slots)*4 {
		s.resize()
	}
	s.place(slotWord(hash, id))
	s.size++
}

// slot returns the slot of an entry that is there, until the next insert or remove.
func (x *index) slot(hash, id uint32) *uint64 {
	s := x.segment(hash)
	return &s.slots[s.search(slotWord(hash, id))]
}

// remove takes an entry out that is there and closes the gap, so that every probe chain stays whole.
func (x *index) remove(hash, id uint32) {
	s := x.segment(hash)
	gap := s.search(slotWord(hash, id))
	for i := s.next(gap); s.slots[i] != 0; i = s.next(i) {
		if !between(gap, s.home(s.slots[i]), i) {
			s.slots[gap] = s.slots[i]
			gap = i
		}
	}
	s.slots[gap] = 0
	if s.size--; len(s.slots) > segmentSlotsMin && s.size*5 < len(s.slots)*2 {
		s.resize()
	}
}

const segmentSlotsMin = 4

// resize makes room for half as many entries again: the segment is 53 % full then.
func (s *segment) resize() {
	old := s.slots
	s.slots = make([]uint64, max(segmentSlotsMin, (s.size+1)*15/8))
	for _, word := range old {
		if word != 0 {
			s.place(word)
		}
	}
}

func (s *segment) place(word uint64) {
	i := s.home(word)
	for s.slots[i] != 0 {
		i = s.next(i)
	}
	s.slots[i] = word
}

func (s *segment) search(word uint64) int {
	i := s.home(word)
	for s.slots[i] != word {
		i = s.next(i)
	}
	return i
}

// home returns where the probe for a word begins: the bits of its hash that did not choose the
// segment, scaled.
func (s *segment) home(word uint64) int {
	rest := uint32(word>>32) << segmentBits
	return int(uint64(rest) * uint64(len(s.slots)) >> 32)
}

func (s *segment) next(i int) int {
	if i++; i < len(s.slots) {
		return i
	}
	return 0
}

// between reports whether home lies behind gap and not behind i, going round: what is at i with that
// home is found without crossing the gap.
func between(gap, home, i int) bool {
	if gap <= i {
		return gap < home && home <= i
	}
	return gap < home || home <= i
}
