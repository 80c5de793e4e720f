package auth

import (
	"container/heap"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
)

// Defaults of a Pool.
const (
	QueueMaxDefault = 1024 // attempts, each of at most DataBytesMax

	// lowPriority of a Pool for computing, as in nice(1): together with short slices, see lowerPriority, a
	// loop that wakes up soon interrupts such a thread. Not lower: the collector stops all threads together,
	// and one that is never given the CPU on a busy machine would hold up the others.
	lowPriority = 5
)

// What a client is told whose attempt was not judged.
const (
	reasonBusy    = "too many logins are waiting, try again later"
	reasonStopped = "the server is shutting down"
	reasonFailed  = "authentication failed"
)

// PoolOptions configures a Pool. Zero values stand for the documented defaults.
type PoolOptions struct {
	Workers     int  // attempts worked on at a time; 0: half of the CPUs, at least 1
	QueueMax    int  // attempts that wait; 0: QueueMaxDefault
	LowPriority bool // the workers compute: the system is to prefer everything else
}

// Pool works on login attempts beside the loops: a few at a time, the others in a bounded queue. Those
// who wait take turns by address, and when the queue is full, the address with the most attempts in it
// gives up its latest. So a flood from one address costs others at most the wait for one attempt of it
// each, and never their place. All methods are safe for concurrent use.
type Pool struct {
	// Set by NewPool, then constant.
	opts PoolOptions

	mu      sync.Mutex // guards the fields below; a leaf
	wake    sync.Cond  // there is work, or no more ever
	lines   map[netip.Prefix]*line
	turns   turns // all lines, the next one to be served first
	longest lineHeap
	waiting int
	started int // workers
	idle    int // of them
	closed  bool

	// Safe from any goroutine.
	workers   sync.WaitGroup
	running   atomic.Int64
	finished  atomic.Uint64
	rejected  atomic.Uint64
	displaced atomic.Uint64
	abandoned atomic.Uint64
	panics    atomic.Uint64
}

// PoolStats is a snapshot of a Pool. The counters only grow.
type PoolStats struct {
	Workers, Running, Queued int

	Finished  uint64 // attempts worked on
	Rejected  uint64 // refused at once, because the queue was full
	Displaced uint64 // refused later, because others needed the room more
	Abandoned uint64 // whose connection had gone before their turn came
	Panics    uint64
}

// job is one attempt that waits.
type job struct {
	r    *Request
	work func() Result
	done func(Result)
}

// line is the attempts of one address, in the order they came.
type line struct {
	key        netip.Prefix
	jobs       []job
	at         int   // in the heap
	prev, next *line // in turns
}

// NewPool returns a Pool without goroutines; they start with the first work.
func NewPool(o PoolOptions) *Pool {
	if o.Workers <= 0 {
		o.Workers = max(1, runtime.NumCPU()/2)
	}
	if o.QueueMax <= 0 {
		o.QueueMax = QueueMaxDefault
	}
	p := &Pool{opts: o, lines: map[netip.Prefix]*line{}}
	p.wake.L = &p.mu
	return p
}

// Workers returns how many attempts are worked on at a time.
func (p *Pool) Workers() int { return p.opts.Workers }

// Submit has work called on a worker and done with what it returns. If there is no room, nobody waits
// for r any more, or the pool is closed, done gets a refusal instead, perhaps before Submit returns.
func (p *Pool) Submit(r *Request, work func() Result, done func(Result)) {
	loser, reason := p.enter(job{r, work, done})
	if loser.done != nil {
		loser.done(Refusal(reason))
	}
}

// enter queues j and returns the attempt that has to go instead, if any, and why.
func (p *Pool) enter(j job) (loser job, reason string) {
	key := groupOf(j.r.RemoteAddr)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return j, reasonStopped
	}
	own := p.lines[key]
	if p.waiting == p.opts.QueueMax {
		victim := p.longest[0]
		if own != nil && len(victim.jobs) <= len(own.jobs)+1 || len(victim.jobs) == 1 {
			p.rejected.Add(1)
			return j, reasonBusy
		}
		p.displaced.Add(1)
		loser, reason = p.dropLatest(victim), reasonBusy
	}
	if own == nil {
		own = &line{key: key}
		p.lines[key] = own
		p.turns.push(own)
		heap.Push(&p.longest, own)
	}
	own.jobs = append(own.jobs, j)
	heap.Fix(&p.longest, own.at)
	p.waiting++
	p.summon()
	return loser, reason
}

// dropLatest takes the attempt that came last out of l, which has more than one.
func (p *Pool) dropLatest(l *line) job {
	last := len(l.jobs) - 1
	j := l.jobs[last]
	l.jobs[last] = job{}
	l.jobs = l.jobs[:last]
	heap.Fix(&p.longest, l.at)
	p.waiting--
	return j
}

// summon makes sure that somebody works.
func (p *Pool) summon() {
	if p.idle == 0 && p.started < p.opts.Workers {
		p.started++
		p.workers.Go(p.worker) // ends when Close says so, and is waited for there
		return
	}
	p.wake.Signal()
}

func (p *Pool) worker() {
	if p.opts.LowPriority {
		runtime.LockOSThread() // never unlocked: the thread with its priority ends with the worker
		lowerPriority(lowPriority)
	}
	for {
		j, ok := p.next()
		if !ok {
			return
		}
		p.judge(j)
	}
}

// next waits for an attempt. It reports false when there will be none.
func (p *Pool) next() (job, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle++
	for p.waiting == 0 && !p.closed {
		p.wake.Wait()
	}
	p.idle--
	if p.waiting == 0 {
		return job{}, false
	}
	l := p.turns.pop()
	j := l.jobs[0]
	l.jobs[0] = job{}
	l.jobs = l.jobs[1:]
	p.waiting--
	if len(l.jobs) == 0 {
		delete(p.lines, l.key)
		heap.Remove(&p.longest, l.at)
	} else {
		p.turns.push(l)
		heap.Fix(&p.longest, l.at)
	}
	return j, true
}

// judge works on one attempt. A panic in it is a refusal: the next attempt has nothing to do with it.
func (p *Pool) judge(j job) {
	if j.r.Abandoned() {
		p.abandoned.Add(1)
		j.done(Result{})
		return
	}
	p.running.Add(1)
	result := p.attempt(j.work)
	p.running.Add(-1)
	p.finished.Add(1)
	j.done(result)
}

func (p *Pool) attempt(work func() Result) (r Result) {
	defer func() {
		if recover() != nil { // what it says may contain credentials
			p.panics.Add(1)
			r = Refusal(reasonFailed)
		}
	}()
	return work()
}

// Close refuses what waits and what comes later, and waits for the rest.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	var left []job
	for _, l := range p.lines {
		left = append(left, l.jobs...)
	}
	p.lines, p.turns, p.longest, p.waiting = nil, turns{}, nil, 0
	p.wake.Broadcast()
	p.mu.Unlock()
	for _, j := range left {
		j.done(Refusal(reasonStopped))
	}
	p.workers.Wait()
}

// Stats returns the current numbers.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	queued := p.waiting
	p.mu.Unlock()
	return PoolStats{
		Workers: p.opts.Workers, Running: int(p.running.Load()), Queued: queued,
		Finished: p.finished.Load(), Rejected: p.rejected.Load(), Displaced: p.displaced.Load(),
		Abandoned: p.abandoned.Load(), Panics: p.panics.Load(),
	}
}

// groupOf returns who shares a line: an IPv4 address, or the network of an IPv6 address that usually
// belongs to one customer. Whoever has no address shares one with all others without.
func groupOf(remote string) netip.Prefix {
	ap, err := netip.ParseAddrPort(remote)
	addr := ap.Addr()
	if err != nil {
		if addr, err = netip.ParseAddr(remote); err != nil {
			return netip.Prefix{}
		}
	}
	addr = addr.Unmap().WithZone("")
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	group, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return group
}

// turns is a queue of lines, linked through them.
type turns struct{ first, last *line }

func (t *turns) push(l *line) {
	l.prev, l.next = t.last, nil
	if t.last == nil {
		t.first = l
	} else {
		t.last.next = l
	}
	t.last = l
}

// pop removes the first line; there is one.
func (t *turns) pop() *line {
	l := t.first
	t.first = l.next
	if t.first == nil {
		t.last = nil
	} else {
		t.first.prev = nil
	}
	l.next = nil
	return l
}

// lineHeap has the line with the most attempts in front. It implements heap.Interface.
type lineHeap []*line

func (h lineHeap) Len() int           { return len(h) }
func (h lineHeap) Less(i, j int) bool { return len(h[i].jobs) > len(h[j].jobs) }

func (h lineHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

// Push implements heap.Interface.
func (h *lineHeap) Push(x any) {
	l := x.(*line)
	l.at = len(*h)
	*h = append(*h, l)
}

// Pop implements heap.Interface.
func (h *lineHeap) Pop() any {
	last := len(*h) - 1
	l := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return l
}
