package registry

import (
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// Limits. Past one of them Subscribe fails and changes nothing.
const (
	// KeyBytesMax is the longest key: one span of the names' arena.
	KeyBytesMax = spanUnits * 8
	// NameBytesMax is the longest name: a key without its name space.
	NameBytesMax = KeyBytesMax - 1
	// TopicsMax is the largest number of names alive or awaiting reuse. Their bytes, rounded up to
	// a block, may take 32 GiB.
	TopicsMax = 1 << 26
)

var (
	// ErrKey reports an empty key or one longer than KeyBytesMax.
	ErrKey = errors.New("registry: key empty or too long")
	// ErrFull reports that a limit is reached: TopicsMax, the memory of names or lists, the slot
	// number or the subscriptions of one connection.
	ErrFull = errors.New("registry: full")
)

// TopicRef names one interned topic until its last subscriber has left and all loops have forgotten
// it. The zero value names none.
type TopicRef struct{ ID, Gen uint32 }

// record is one topic. Its key and generation are stable from before its id can be found until its
// id is reused.
type record struct {
	mask atomic.Uint64 // loops with a subscriber; written under the shard's mu; not 0 while live
	key  atomic.Uint64 // block in names over 24 bits of length over the first byte
	gen  atomic.Uint32
	link uint32 // live: hash, guarded by the shard's mu. Dead: the next id of its list, by Table.mu
}

const (
	shardBits    = 8
	chunkRecords = 1024
)

type recordChunk [chunkRecords]record

// shard is the slice of the names whose hash ends in its number.
type shard struct {
	index atomic.Pointer[index] // read by anybody

	mu   sync.Mutex // guards the fields below and all writes to index
	live int        // names
	used int        // names and tombstones

	_ [64 - 32]byte // shards do not share a cache line
}

// Options are the dimensions of a Table.
type Options struct {
	// Loops is the number of loops that will be made with NewLoop, 1 to protocol.LoopsMax.
	Loops int
}

// Table interns names for all loops. Find, Mask, Key and Walk take no lock; only goroutines that own
// a Loop may call them, because a tick of every loop is what the reuse of ids waits for.
type Table struct {
	// Safe from any goroutine. What every Find reads stands apart from what writers change.
	shards  [1 << shardBits]shard
	records atomic.Pointer[[]atomic.Pointer[recordChunk]] // nil where no id is in use
	names   arena                                         // views are read by anybody, the rest is guarded by mu

	// Set by NewTable, then constant.
	seed     maphash.Seed
	hashMask uint32 // all ones; tests let names collide with less
	loops    []loopState

	// Safe from any goroutine.
	round atomic.Uint64 // number of the current round of ticks
	limbo atomic.Int64  // dead ids, until their names are freed

	mu    sync.Mutex // guards the fields below; a leaf
	ids   idPool
	live  [256]uint32 // names that are not dead, by name space
	ready uint32      // list of reusable ids that still hold their name
	dead  [3]idList   // released in this round and the two before it, by round % 3
}

// idList is a list of ids through record.link.
type idList struct {
	head, tail uint32
	size       int64
}

// NewTable returns an empty table. It panics if opts.Loops is out of range.
func NewTable(opts Options) *Table {
	if opts.Loops < 1 || opts.Loops > protocol.LoopsMax {
		panic("registry: Options.Loops out of range")
	}
	t := &Table{seed: maphash.MakeSeed(), hashMask: ^uint32(0), loops: make([]loopState, opts.Loops)}
	t.names.init()
	t.ids.limit = TopicsMax
	t.records.Store(new([]atomic.Pointer[recordChunk]))
	for i := range t.shards {
		t.shards[i].index.Store(newIndex(8))
	}
	return t
}

// Find returns the topic of key and the loops that have subscribers of it, or false if nobody has.
// Hot path: lock-free, 0 allocs, see BenchmarkFind.
func (t *Table) Find(key []byte) (ref TopicRef, mask uint64, ok bool) {
	if len(key) == 0 {
		return TopicRef{}, 0, false
	}
	hash := t.hash(key)
	id, r := t.probe(t.shard(hash).index.Load(), hash, key)
	if r == nil {
		return TopicRef{}, 0, false
	}
	mask = r.mask.Load()
	return TopicRef{id, r.gen.Load()}, mask, mask != 0
}

// Mask returns the loops that have subscribers of ref.
func (t *Table) Mask(ref TopicRef) uint64 {
	if r := t.at(ref); r != nil {
		return r.mask.Load()
	}
	return 0
}

// Key returns the key of ref, or nil if ref is out of date. The bytes stay until the tick ends.
func (t *Table) Key(ref TopicRef) []byte {
	if r := t.at(ref); r != nil {
		return t.keyOf(r)
	}
	return nil
}

// Names returns the number of names of one name space that have subscribers. Safe for concurrent use, by
// any goroutine.
func (t *Table) Names(space byte) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return int(t.live[space])
}

// Cursor is a place in a Walk. The zero value is the beginning.
type Cursor uint32

// Walk visits the topics of the name space that have subscribers, until visit returns false. It examines
// up to limit topics of any name space from the cursor on and returns where to go on, and whether that
// was the end. Between two calls anything may happen: a topic that lives throughout the walk is visited
// exactly once.
func (t *Table) Walk(from Cursor, limit int, space byte, visit func(ref TopicRef, key []byte, mask uint64) bool) (next Cursor, done bool) {
	end := len(*t.records.Load()) * chunkRecords
	stop := min(end, int(from)+max(limit, 1))
	for id := int(from); id < stop; id++ {
		r := t.peek(uint32(id))
		if r == nil { // nor are there others of its chunk
			id |= chunkRecords - 1
			continue
		}
		mask := r.mask.Load()
		if mask != 0 && byte(r.key.Load()) == space && !visit(TopicRef{uint32(id), r.gen.Load()}, t.keyOf(r), mask) {
			stop = id + 1
		}
	}
	return Cursor(stop), stop == end
}

// acquire sets the loop's bit of key's topic, which it makes if it is not there.
func (t *Table) acquire(key []byte, bit uint64) (TopicRef, error) {
	hash := t.hash(key)
	s := t.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if id, r := t.probe(s.index.Load(), hash, key); r != nil {
		if invariant.Enabled {
			invariant.Assert(r.mask.Load()&bit == 0, "registry: loop acquires topic %d twice", id)
		}
		r.mask.Or(bit)
		return TopicRef{id, r.gen.Load()}, nil
	}
	id, ok := t.newTopic(key)
	if !ok {
		return TopicRef{}, ErrFull
	}
	r := t.record(id)
	r.link = hash
	r.mask.Store(bit) // publishes key and generation to Walk
	t.insertLocked(s, hash, id)
	return TopicRef{id, r.gen.Load()}, nil
}

// release clears the loop's bit. With the last bit the name leaves the index and the id waits in
// limbo, still readable.
func (t *Table) release(id uint32, bit uint64) {
	r := t.record(id)
	s := t.shard(r.link) // the loop's bit keeps the topic alive and its hash in place
	s.mu.Lock()
	defer s.mu.Unlock()
	if invariant.Enabled {
		invariant.Assert(r.mask.Load()&bit != 0, "registry: loop releases topic %d, which it does not hold", id)
	}
	if r.mask.And(^bit) != bit {
		return
	}
	x := s.index.Load()
	s.used -= x.remove(r.link, id)
	s.live--
	if sparse(s.live, len(x.slots)) {
		s.rebuildLocked()
	}
	t.bury(id, r)
}

// insertLocked adds id to the index of s and keeps a fifth of its slots empty.
func (t *Table) insertLocked(s *shard, hash, id uint32) {
	x := s.index.Load()
	if (s.used+1)*5 > len(x.slots)*4 {
		x = s.rebuildLocked()
	}
	if x.insert(hash, id) {
		s.used++
	}
	s.live++
}

// rebuildLocked replaces the index of s by one of the size it should have, without tombstones. Readers
// may go on with the old one.
func (s *shard) rebuildLocked() *index {
	old, x := s.index.Load(), newIndex(roomFor(s.live+1, 8))
	for i := range old.slots {
		if w := old.slots[i].Load(); w != 0 && w != tombstone {
			x.insert(uint32(w>>32), uint32(w))
		}
	}
	s.used = s.live
	s.index.Store(x)
	return x
}

// probe returns the id and record of key in x, or nil.
func (t *Table) probe(x *index, hash uint32, key []byte) (uint32, *record) {
	for i := x.home(hash); ; i = x.next(i) {
		w := x.slots[i].Load()
		if w == 0 {
			return 0, nil
		}
		if uint32(w>>32) != hash || w == tombstone {
			continue
		}
		if r := t.record(uint32(w)); string(t.keyOf(r)) == string(key) {
			return uint32(w), r
		}
	}
}

func (t *Table) hash(key []byte) uint32 { return uint32(maphash.Bytes(t.seed, key)>>16) & t.hashMask }

func (t *Table) shard(hash uint32) *shard { return &t.shards[hash%(1<<shardBits)] }

// record returns the record of an id that is in use.
func (t *Table) record(id uint32) *record {
	return &(*t.records.Load())[id/chunkRecords].Load()[id%chunkRecords]
}

// peek returns the record of any id, or nil if nothing near it is in use.
func (t *Table) peek(id uint32) *record {
	chunks := *t.records.Load()
	if int(id/chunkRecords) >= len(chunks) {
		return nil
	}
	if chunk := chunks[id/chunkRecords].Load(); chunk != nil {
		return &chunk[id%chunkRecords]
	}
	return nil
}

// at returns the record of ref, or nil if ref is none or out of date.
func (t *Table) at(ref TopicRef) *record {
	if r := t.peek(ref.ID); r != nil && ref.ID != 0 && r.gen.Load() == ref.Gen {
		return r
	}
	return nil
}

func (t *Table) keyOf(r *record) []byte {
	k := r.key.Load()
	size := keySize(k)
	return asBytes(t.names.head(uint32(k>>32), uint32(size+7)/8), size)
}

// space returns the first byte of the key.
func (r *record) space() byte { return byte(r.key.Load()) }

// keySize returns the length of the key that record.key describes.
func keySize(k uint64) int { return int(k >> 8 & (1<<24 - 1)) }

func keyClass(size int) uint8 { return classOf(uint32(size+7) / 8) }
