package listen

// slabChunk is the number of entries allocated together. Chunks never move, so growth copies nothing.
const slabChunk = 1024

// slab hands out numbered entries. Numbers start at 1; 0 means none. The zero value is empty.
type slab[T any] struct {
	chunks []*[slabChunk]T
	free   []uint32
	last   uint32 // the highest number ever handed out
}

// acquire returns the number of a zeroed entry.
func (s *slab[T]) acquire() uint32 {
	if n := len(s.free); n > 0 {
		id := s.free[n-1]
		s.free = s.free[:n-1]
		return id
	}
	if int(s.last) == len(s.chunks)*slabChunk {
		s.chunks = append(s.chunks, new([slabChunk]T))
	}
	s.last++
	return s.last
}

// release takes id back.
func (s *slab[T]) release(id uint32) {
	var zero T
	*s.at(id) = zero
	s.free = append(s.free, id)
}

func (s *slab[T]) at(id uint32) *T {
	return &s.chunks[(id-1)/slabChunk][(id-1)%slabChunk]
}

// used returns the number of entries handed out and not taken back.
func (s *slab[T]) used() int { return int(s.last) - len(s.free) }
