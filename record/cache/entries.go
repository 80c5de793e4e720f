package cache

// entry is one name. Its block holds its number, the name and the data.
type entry struct {
	hash     uint32
	ref      uint32 // of the block, within its class
	version  int32
	dataSize uint32
	pins     uint32
	nameSize uint16
	class    uint8
	flags    uint8
}

// Flags of an entry.
const (
	exists uint8 = 1 << iota
	used         // since the clock hand passed
)

// entryCharge is what an entry costs the budget beside its block: itself and two and a half slots of
// the index, of which a segment never has more.
const entryCharge = 24 + 20

func (e *entry) charge() int64 { return entryCharge + classCharge[e.class] }

const chunkEntries = 1024

// entries is an array that grows and shrinks without copying. Pointers into it stay valid until the
// entry is moved or popped.
type entries struct {
	chunks []*[chunkEntries]entry
	size   uint32
}

func (t *entries) at(id uint32) *entry { return &t.chunks[id/chunkEntries][id%chunkEntries] }

func (t *entries) push(e entry) (id uint32) {
	id = t.size
	if int(id/chunkEntries) == len(t.chunks) {
		t.chunks = append(t.chunks, new([chunkEntries]entry))
	}
	t.size++
	*t.at(id) = e
	return id
}

// pop drops the last entry. One empty chunk is kept, so that a size around a multiple does not
// allocate all the time.
func (t *entries) pop() {
	t.size--
	if end := len(t.chunks) - 1; end >= 2 && int(t.size) <= (end-1)*chunkEntries {
		t.chunks[end] = nil
		t.chunks = t.chunks[:end]
	}
}
