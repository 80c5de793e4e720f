package engine

import (
	"sync"
	"sync/atomic"
)

// mailbox is the one shared door of a loop. Producers append a whole turn's mail under one lock;
// the consumer swaps the two slices. It keeps the order of each producer.
type mailbox struct {
	mu    sync.Mutex // guards in and bytes; a leaf
	in    []Mail
	bytes int    // of the frames in it
	work  []Mail // owned by the consumer
	next  int    // first mail of work not yet handled

	// news tells that there may be mail that comes before what sockets have to say: who was told of its
	// effect elsewhere may be speaking.
	news atomic.Bool
}

// put appends mails and returns how many droppable ones did not fit.
func (b *mailbox) put(mails []Mail) (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.putLocked(mails)
}

// putNews is put for mail that comes before what is read from now on.
func (b *mailbox) putNews(mails []Mail) (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.news.Store(true)
	return b.putLocked(mails)
}

func (b *mailbox) putLocked(mails []Mail) (dropped int) {
	for i := range mails {
		m := &mails[i]
		if m.Droppable && (len(b.in) >= mailboxMax || b.bytes+len(m.Frame) > mailboxBytesMax) {
			dropped++
			continue
		}
		b.in = append(b.in, *m)
		b.bytes += len(m.Frame)
	}
	return dropped
}

// take returns the next mail, or nil when the box was empty. The mail is valid until the next call.
func (b *mailbox) take() *Mail {
	if b.next == len(b.work) {
		clear(b.work)
		b.work, b.next = b.work[:0], 0
		if cap(b.work) > mailPerTurnMax { // a burst's capacity is not kept for ever
			b.work = nil
		}
		b.mu.Lock()
		b.work, b.in, b.bytes = b.in, b.work, 0
		if len(b.work) == 0 {
			b.news.Store(false)
		}
		b.mu.Unlock()
		if len(b.work) == 0 {
			return nil
		}
	}
	b.next++
	return &b.work[b.next-1]
}
