package registry

import "sync/atomic"

// chunkState is the bookkeeping of one chunk of records, whose memory comes and goes: it is there while
// an id of the chunk is in use, and for one chunk beside. Id 0 is never given out.
type chunkState struct {
	next, prev uint32 // in the list of chunks with a free id, indexes plus one
	free       uint32 // list of ids that were used before, through record.link
	gen        uint32 // generation that ids begin with
	fresh      uint16 // ids never used since there was memory
	used       uint16
}

// idPool gives out ids. Table.mu guards all of it.
type idPool struct {
	chunks  []chunkState
	partial uint32 // list of chunks with memory and a free id, indexes plus one
	bare    uint32 // list of chunks without memory, through next
	spare   uint32 // chunk of the first list without a used id, index plus one
	used    uint32
	limit   uint32 // TopicsMax; tests run out sooner
}

// takeIDLocked returns an id with a generation that none of its refs had before.
func (t *Table) takeIDLocked() (id uint32, ok bool) {
	p := &t.ids
	if p.used >= p.limit {
		return 0, false
	}
	if p.partial == 0 {
		t.openChunkLocked()
	}
	n := p.partial
	c := &p.chunks[n-1]
	if id = c.free; id != 0 {
		c.free = t.record(id).link
	} else {
		id = n*chunkRecords - uint32(c.fresh)
		c.fresh--
		t.record(id).gen.Store(c.gen)
	}
	c.used++
	p.used++
	if n == p.spare {
		p.spare = 0
	}
	if c.free == 0 && c.fresh == 0 {
		p.unlink(n)
	}
	return id, true
}

// freeIDLocked takes back an id. Nobody reads its record any more.
func (t *Table) freeIDLocked(id uint32) {
	p := &t.ids
	n := id/chunkRecords + 1
	c := &p.chunks[n-1]
	if c.free == 0 && c.fresh == 0 {
		p.link(n)
	}
	r := t.record(id)
	r.gen.Add(1)
	r.link, c.free = c.free, id
	p.used--
	if c.used--; c.used > 0 {
		return
	}
	if p.spare != 0 {
		t.closeChunkLocked(p.spare)
	}
	p.spare = n
}

// openChunkLocked puts a chunk with fresh memory into the list of those with free ids.
func (t *Table) openChunkLocked() {
	p := &t.ids
	n := p.bare
	if n == 0 {
		t.growLocked()
		n = uint32(len(p.chunks))
	} else {
		p.bare = p.chunks[n-1].next
	}
	c := &p.chunks[n-1]
	c.fresh = chunkRecords
	if n == 1 {
		c.fresh--
	}
	(*t.records.Load())[n-1].Store(new(recordChunk))
	p.link(n)
}

// growLocked adds a chunk without memory.
func (t *Table) growLocked() {
	p := &t.ids
	p.chunks = append(p.chunks, chunkState{gen: 1})
	old := *t.records.Load()
	if len(old) < cap(old) {
		grown := old[:len(old)+1] // nobody reads behind the length they know
		t.records.Store(&grown)
		return
	}
	grown := make([]atomic.Pointer[recordChunk], len(old)+1, len(old)*5/4+16)
	for i := range old {
		grown[i].Store(old[i].Load())
	}
	t.records.Store(&grown)
}

// closeChunkLocked gives up the memory of a chunk without a used id. A ref that somebody keeps against
// the rules finds a later generation, or nothing.
func (t *Table) closeChunkLocked(n uint32) {
	p := &t.ids
	c := &p.chunks[n-1]
	slot := &(*t.records.Load())[n-1]
	for i, chunk := 0, slot.Load(); i < chunkRecords; i++ {
		c.gen = max(c.gen, chunk[i].gen.Load())
	}
	slot.Store(nil)
	p.unlink(n)
	*c = chunkState{gen: c.gen, next: p.bare}
	p.bare = n
}

func (p *idPool) link(n uint32) {
	c := &p.chunks[n-1]
	c.next, c.prev = p.partial, 0
	if p.partial != 0 {
		p.chunks[p.partial-1].prev = n
	}
	p.partial = n
}

func (p *idPool) unlink(n uint32) {
	c := &p.chunks[n-1]
	if c.prev != 0 {
		p.chunks[c.prev-1].next = c.next
	} else {
		p.partial = c.next
	}
	if c.next != 0 {
		p.chunks[c.next-1].prev = c.prev
	}
	c.next, c.prev = 0, 0
}
