package async

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"deepstream-fast/store"
)

// Submission is one accepted Submit.
type Submission struct {
	Writes []store.Write
	Done   func([]store.Outcome)
	Size   int
	At     time.Time
}

// Writes is the queue between the loops and the one goroutine that commits.
type Writes struct {
	// Set by NewWrites, then constant.
	bytesMax int
	ready    chan struct{} // holds a token if there is something to Take, or Close was called

	// Safe from any goroutine.
	busy atomic.Uint64

	mu      sync.Mutex // guards the fields below; a leaf, never held across a callback
	pending []Submission
	bytes   int // pending, and taken but not released
	closed  bool

	// Owned by the consumer.
	taken []Submission
}

// NewWrites returns an empty queue for bytesMax bytes, by store.Write.Size.
func NewWrites(bytesMax int) *Writes {
	return &Writes{bytesMax: bytesMax, ready: make(chan struct{}, 1)}
}

// Push queues writes, or returns ErrBusy, ErrClosed, or what store.Validate finds wrong. An empty
// list is queued as well: its done tells that everything before it is done.
func (q *Writes) Push(writes []store.Write, done func([]store.Outcome)) error {
	size, err := store.Validate(writes)
	if err != nil {
		return err
	}
	size += 64 // of the submission itself: bounds the number of empty ones
	now := time.Now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return store.ErrClosed
	}
	if q.bytes+size > q.bytesMax {
		q.busy.Add(1)
		return fmt.Errorf("%w: %d of %d bytes", store.ErrBusy, q.bytes, q.bytesMax)
	}
	q.bytes += size
	q.pending = append(q.pending, Submission{Writes: writes, Done: done, Size: size, At: now})
	q.signal()
	return nil
}

// Ready returns a channel that yields when Take should be called.
func (q *Writes) Ready() <-chan struct{} { return q.ready }

// Take returns everything queued, oldest first, valid until the next call, and whether the queue is
// closed. Only the consumer calls it.
func (q *Writes) Take() (subs []Submission, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.taken) // drops the references, keeps the capacity
	q.taken, q.pending = q.pending, q.taken[:0]
	return q.taken, q.closed
}

// Release gives size bytes back. Only the consumer calls it, once per submission.
func (q *Writes) Release(size int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.bytes -= size
}

// Close refuses all further writes and wakes the consumer.
func (q *Writes) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *Writes) signal() {
	select {
	case q.ready <- struct{}{}:
	default: // the consumer has not taken the last token: it will see this one's cause too
	}
}

// Bytes returns how much of the limit is in use.
func (q *Writes) Bytes() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}

// Busy returns how often Push answered ErrBusy.
func (q *Writes) Busy() uint64 { return q.busy.Load() }
