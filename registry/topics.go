package registry

const (
	segmentBits = 10
	listBits    = 25 // a list holds up to protocol.SlotsMax slots
)

// topic is one topic with local subscribers, whose slots are list itself if there is one, else the
// block list[0].
type topic struct {
	id    uint32 // 0 in an empty place
	shape uint32 // class of the block over listBits of length
	list  [1]uint32
}

func (p *topic) size() int    { return int(p.shape & (1<<listBits - 1)) }
func (p *topic) class() uint8 { return uint8(p.shape >> listBits) }

// capacity returns how many slots fit where they are now.
func (p *topic) capacity() int {
	if p.size() <= 1 {
		return 1
	}
	return int(classUnits[p.class()]) * 2
}

// topicMap finds a topic by id. It is cut into segments that grow each on its own, so that no growth
// copies more than a thousandth of it. Pointers into it die with the next insert or remove.
type topicMap struct {
	seed     uint64
	segments [1 << segmentBits]segment
	size     int
}

// segment is a hash table with linear probing, at most four fifths full, and at least an eighth if it
// is large.
type segment struct {
	topics []topic
	size   int
}

func (m *topicMap) find(id uint32) *topic {
	hash := mix(id, m.seed)
	s := &m.segments[hash>>(32-segmentBits)]
	if len(s.topics) == 0 {
		return nil
	}
	for i := s.home(hash); ; i = s.next(i) {
		switch p := &s.topics[i]; p.id {
		case 0:
			return nil
		case id:
			return p
		}
	}
}

// insert adds a topic that is not there, with one subscriber.
func (m *topicMap) insert(id, slot uint32) {
	hash := mix(id, m.seed)
	s := &m.segments[hash>>(32-segmentBits)]
	if (s.size+1)*5 > len(s.topics)*4 {
		s.resize(m.seed)
	}
	s.place(hash, topic{id: id, shape: 1, list: [1]uint32{slot}})
	s.size++
	m.size++
}

// remove takes a topic out that is there and closes the gap, so that every probe chain stays whole.
func (m *topicMap) remove(id uint32) {
	hash := mix(id, m.seed)
	s := &m.segments[hash>>(32-segmentBits)]
	gap := s.home(hash)
	for s.topics[gap].id != id {
		gap = s.next(gap)
	}
	for i := s.next(gap); s.topics[i].id != 0; i = s.next(i) {
		if !between(gap, s.home(mix(s.topics[i].id, m.seed)), i) {
			s.topics[gap] = s.topics[i]
			gap = i
		}
	}
	s.topics[gap] = topic{}
	s.size--
	m.size--
	if sparse(s.size, len(s.topics)) {
		s.resize(m.seed)
	}
}

// resize makes room for half as many topics again as there are.
func (s *segment) resize(seed uint64) {
	old := s.topics
	s.topics = make([]topic, roomFor(s.size+1, 4))
	for i := range old {
		if old[i].id != 0 {
			s.place(mix(old[i].id, seed), old[i])
		}
	}
}

// roomFor returns the size of a hash table for some entries: 53 % full, or least.
func roomFor(entries, least int) int { return max(least, entries*15/8) }

// sparse reports whether a hash table is worth replacing by a smaller one. It is four times as large as
// roomFor, so a replacement is paid for by as many removals as it has entries, or more.
func sparse(entries, room int) bool { return room > 32 && entries*8 < room }

func (s *segment) home(hash uint32) int { return scale(hash<<segmentBits, len(s.topics)) }

func (s *segment) next(i int) int {
	if i++; i < len(s.topics) {
		return i
	}
	return 0
}

func (s *segment) place(hash uint32, p topic) {
	i := s.home(hash)
	for s.topics[i].id != 0 {
		i = s.next(i)
	}
	s.topics[i] = p
}

// between reports whether home lies behind gap and not behind i, going round: an entry at i with
// that home is found without crossing the gap.
func between(gap, home, i int) bool {
	if gap <= i {
		return gap < home && home <= i
	}
	return gap < home || home <= i
}
