package async

import (
	"fmt"
	"sync"
	"sync/atomic"

	"deepstream-fast/store"
)

// Readers is a pool of goroutines that may wait for the disk, behind a queue that may not.
type Readers struct {
	// Safe from any goroutine.
	busy atomic.Uint64
	jobs chan func()
	wg   sync.WaitGroup // the pool

	mu     sync.RWMutex // guards closed, and that nothing is sent after it; never held while waiting
	closed bool
}

// NewReaders starts count goroutines with a queue for queueMax reads. Close stops them.
func NewReaders(count, queueMax int) *Readers {
	r := &Readers{jobs: make(chan func(), queueMax)}
	for range count {
		r.wg.Go(func() { // ends when Close closes jobs, which waits for it
			for job := range r.jobs {
				job()
			}
		})
	}
	return r
}

// Do queues job, or returns ErrBusy or ErrClosed.
func (r *Readers) Do(job func()) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.closed {
		return store.ErrClosed
	}
	select {
	case r.jobs <- job:
		return nil
	default:
		r.busy.Add(1)
		return fmt.Errorf("%w: %d reads", store.ErrBusy, cap(r.jobs))
	}
}

// Close refuses further jobs and waits until those accepted are done.
func (r *Readers) Close() {
	r.mu.Lock()
	r.closed = true
	close(r.jobs)
	r.mu.Unlock()
	r.wg.Wait()
}

// Len returns the number of jobs that wait.
func (r *Readers) Len() int { return len(r.jobs) }

// Busy returns how often Do answered ErrBusy.
func (r *Readers) Busy() uint64 { return r.busy.Load() }
