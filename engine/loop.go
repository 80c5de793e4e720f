package engine

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"deepstream-fast/codec/ws"
	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
	"deepstream-fast/timer"
)

// Loop is one reactor: one goroutine, one epoll set, and the connections accepted on it. Other
// goroutines reach it only through Engine.Post.
type Loop struct {
	// Set by newLoop, then constant.
	id      int
	engine  *Engine
	opts    *Options
	limits  ws.Limits
	trusted ws.Limits         // of connections that the handler trusts
	task    gnet.RunnableFunc // l.run, bound once

	// Owned by the loop goroutine.
	handler    Handler
	receiver   Receiver // the same; nil if it opens no virtual connections
	conns      slab
	wheel      *timer.Wheel
	now        time.Duration // since the engine's start; read once per turn and per read
	settled    time.Duration // when the last turn's output was written
	writing    time.Duration // how long that took, the turn's other work included
	reads      int           // reads with output since then
	lone       bool          // there was at most one before
	nodes      []node
	frames     []outFrame
	frameBytes int
	lanes      []lane // by slot
	dirty      []dirtyConn
	blocked    []uint32 // slots with a backlog
	dead       []uint32 // slots that are closing or closed and not yet released
	outbox     [][]Mail // by destination loop
	posting    bool     // some outbox is not empty
	arena      arena
	cork       []byte
	ciphers    *ciphers      // nil without TLS
	flushAt    time.Duration // with FlushInterval: when the waiting output is due; 0: nothing waits
	drain      drain
	inTurn     bool
	flushing   bool // flushDirty is at it: a socket may close in the middle
	owner      invariant.Owner

	// Safe from any goroutine.
	el           atomic.Pointer[gnet.EventLoop]
	scheduled    atomic.Bool // a turn is queued with gnet
	mail         mailbox
	blockedCount atomic.Int32
	waiting      atomic.Bool // output waits for FlushInterval
	timers       atomic.Bool // the wheel is not empty
	stats        counters
}

func newLoop(e *Engine, id int) *Loop {
	l := &Loop{
		id: id, engine: e, opts: &e.opts,
		wheel:  timer.New(timer.Options{TickDuration: tickDuration}),
		cork:   make([]byte, 0, corkBytes),
		outbox: make([][]Mail, e.opts.Loops),
		limits: ws.Limits{MessageBytesMax: e.opts.MessageBytesMax, Refuse: e.opts.Refuse, Budget: e.strangers},
	}
	l.trusted = l.limits
	l.trusted.Budget = e.partial
	l.trusted.BulkBytesMax, l.trusted.Bulk = e.opts.BulkBytesMax, e.opts.Bulk
	l.task = l.run
	if e.opts.TLS != nil {
		l.ciphers = newCiphers()
	}
	l.handler = e.opts.NewHandler(l)
	l.receiver, _ = l.handler.(Receiver)
	return l
}

// ID returns the index of the loop, 0 to Options.Loops-1.
func (l *Loop) ID() int { return l.id }

// Now returns the loop's clock: time since the engine's start, as read at the beginning of the
// current callback or turn.
func (l *Loop) Now() time.Duration { return l.now }

// StartTimer calls Handler.Fired(kind, key) once, not before after has passed.
func (l *Loop) StartTimer(after time.Duration, kind uint8, key uint64) timer.ID {
	l.timers.Store(true)
	return l.wheel.Add(l.now+after, kind, key)
}

// StopTimer cancels a timer; one that has fired or was stopped before is ignored.
func (l *Loop) StopTimer(id timer.ID) { l.wheel.Cancel(id) }

// PostSelf hands m to this loop from any goroutine, for one of its next turns.
func (l *Loop) PostSelf(m Mail) { l.engine.Post(l.id, m) }

// PostAhead is PostSelf for what somebody is about to be told of elsewhere: the loop hears of it before it
// reads what they may then say here. Of a backlog of more than mailPerTurnMax it takes that much before each
// read, so only an overloaded loop may be late.
func (l *Loop) PostAhead(m Mail) { l.posted(l.mail.putNews([]Mail{m})) }

// posted ends a post of which so many mails did not fit.
func (l *Loop) posted(dropped int) {
	l.stats.droppedMail.Add(uint64(dropped))
	l.kick()
}

// Post sends m to another loop at the end of the turn. Mail to oneself is a mistake: call instead.
func (l *Loop) Post(dst int, m Mail) {
	if invariant.Enabled {
		invariant.Assert(dst != l.id, "engine: loop %d posts to itself", dst)
	}
	l.outbox[dst] = append(l.outbox[dst], m)
	l.posting = true
	if len(l.outbox[dst]) >= mailPerTurnMax {
		l.postOutboxes()
	}
}

// kick makes sure that a turn of l follows. Any goroutine may call it.
func (l *Loop) kick() {
	el := l.el.Load()
	if el == nil { // not discovered yet: bind kicks again
		return
	}
	if l.scheduled.CompareAndSwap(false, true) {
		if err := (*el).Execute(context.Background(), l.task); err != nil {
			l.scheduled.Store(false) // the engine has stopped
		}
	}
}

// run is gnet's entry into a turn.
func (l *Loop) run(context.Context) error {
	l.scheduled.Store(false) // first, so that a post from here on kicks again
	defer l.recoverPanic(nil, "turn")
	l.owner.Enter()
	defer l.owner.Leave()
	l.readClock()
	began := l.now
	l.stats.pulses.Add(1)
	more := l.turn()
	l.stats.took(l.engine.since() - began)
	if more {
		// gnet drains its urgent queue to the end: a task that queues itself would starve all I/O of
		// this loop. A goroutine of a few instructions lets the sockets in between.
		go l.kick()
	}
	return nil
}

// turn handles what others sent, advances the timers, lets go of dead connections and writes
// everything that came of it. It reports whether work is left over.
func (l *Loop) turn() (more bool) {
	l.inTurn = true
	left := l.drainMail()
	more = left
	l.advanceTimers()
	l.pumpBlocked()
	more = l.drainStep() || more
	more = l.reap() || more
	l.settle(false)
	more = l.handler.TurnEnd(!left) || more
	l.inTurn = false
	return more || l.posting || len(l.dirty) > 0 && !l.waiting.Load() || len(l.dead) > 0 && l.reapable()
}

// settle posts mail and writes what is pending. Mail goes first: whoever hears of an effect through
// a socket must find it done on the other loops as well.
func (l *Loop) settle(now bool) {
	l.postOutboxes()
	if l.opts.FlushInterval > 0 && !now && l.mayWait() {
		l.waiting.Store(true)
	} else {
		l.flushDirty()
		l.arena.recycle()
		l.flushAt = 0
		l.waiting.Store(false)
	}
	began := l.now
	l.readClock()
	l.settled, l.writing = l.now, l.now-began
	l.lone, l.reads = l.reads <= 1, 0
}

// mayWait reports whether all that is pending may wait for FlushInterval: it is not too much.
func (l *Loop) mayWait() bool {
	if len(l.dirty) == 0 {
		return false
	}
	if l.flushAt == 0 {
		l.flushAt = l.now + l.opts.FlushInterval
	}
	return l.now < l.flushAt && l.frameBytes < l.opts.FlushBytesMax
}

func (l *Loop) readClock() { l.now = l.engine.since() }

func (l *Loop) drainMail() (more bool) {
	for range mailPerTurnMax {
		m := l.mail.take()
		if m == nil {
			return false
		}
		switch m.Kind {
		case mailDrain:
			l.drain.allow(l, m)
		case mailAbort:
			l.abortAll()
		case mailWire:
			l.handshakeOutput(m)
		case mailHandshake:
			l.handshakeDone(m.Body.(*handshake))
		default:
			l.handler.Mail(m)
		}
	}
	return true
}

func (l *Loop) postOutboxes() {
	if !l.posting {
		return
	}
	l.posting = false
	for dst, mails := range l.outbox {
		if len(mails) == 0 {
			continue
		}
		other := l.engine.loops[dst]
		if dropped := other.mail.putNews(mails); dropped > 0 {
			l.stats.droppedMail.Add(uint64(dropped))
			l.engine.slowLog.warn("MAILBOX_FULL", "a loop is overloaded: deliveries to its connections were dropped", "loop", dst, "dropped", dropped)
		}
		clear(mails)
		l.outbox[dst] = mails[:0]
		if cap(mails) > mailPerTurnMax {
			l.outbox[dst] = nil
		}
		other.kick()
	}
}

func (l *Loop) advanceTimers() {
	l.wheel.Advance(l.now, l.fired)
	l.timers.Store(l.wheel.Len() > 0)
	l.stats.pending.Store(int64(l.wheel.Len()))
}

func (l *Loop) fired(kind uint8, key uint64) {
	if kind == TimerConn {
		if c := l.Conn(protocol.ConnID(key)); c != nil {
			c.timer = 0
			l.connTimer(c)
		}
		return
	}
	l.handler.Fired(kind, key)
}

// rearm replaces c's only timer.
func (l *Loop) rearm(c *Conn, after time.Duration) {
	if c.timer != 0 {
		l.wheel.Cancel(c.timer)
	}
	c.timer = l.StartTimer(after, TimerConn, uint64(c.ID()))
}

// connTimer decides what c's timer means in its current state.
func (l *Loop) connTimer(c *Conn) {
	beat := l.opts.HeartbeatInterval
	switch c.state {
	case stateHead:
		if c.edge != nil && (c.edge.phase == phaseHello || c.edge.phase == phaseHandshake) {
			l.stats.handshakeTimeouts.Add(1)
			c.because(EndedHandshake)
		} else {
			l.stats.headTimeouts.Add(1)
		}
		c.because(EndedHead)
		l.closeSocket(c)
	case stateOpen:
		switch {
		case l.now-c.seen > 2*beat:
			// A dead peer answers no close frame: let go at once.
			l.stats.heartbeatTimeouts.Add(1)
			c.because(EndedSilence)
			l.closeSocket(c)
		case c.since != 0 && l.now-c.since > beat:
			l.stats.protocolErrors.Add(1)
			l.Close(c, ws.ClosePolicyViolation, "message took too long")
		default:
			l.rearm(c, beat)
		}
	case stateClosing:
		l.closeSocket(c)
	}
}

// reap tells the handler about dead connections and releases, in slices, what they held.
func (l *Loop) reap() (more bool) {
	budget := releasePerTurn
	kept := l.dead[:0]
	for i := 0; i < len(l.dead); i++ {
		c := l.conns.at(l.dead[i])
		if !c.detached {
			c.detached = true
			if c.opened {
				l.handler.Close(c)
			}
		}
		if budget > 0 {
			if c.opened && l.handler.Release(c, budget) {
				budget = 0
			} else {
				c.opened = false // nothing is left to release
				budget--
			}
		}
		if c.state != stateClosed || c.opened {
			kept = append(kept, c.slot)
			more = more || c.opened
			continue
		}
		l.conns.release(c)
	}
	l.dead = kept
	return more
}

// reapable reports whether reap would get somewhere: a closing connection whose socket lingers waits
// for its timer or its peer instead.
func (l *Loop) reapable() bool {
	for _, slot := range l.dead {
		if c := l.conns.at(slot); c.state == stateClosed || !c.detached {
			return true
		}
	}
	return false
}

// abortAll ends all connections at once, and counts those that miss something.
func (l *Loop) abortAll() {
	for _, chunk := range l.conns.chunks {
		for i := range chunk {
			c := &chunk[i]
			if c.gc == nil {
				continue
			}
			if !c.finSent && c.state != stateHead {
				l.engine.cutAtStop.Add(1)
			}
			c.because(EndedDrain)
			l.closeSocket(c)
		}
	}
}

// recoverPanic keeps one broken message from ending the process: it logs, counts and closes the
// connection concerned.
func (l *Loop) recoverPanic(c *Conn, where string) {
	if invariant.Enabled { // under test a panic is to be seen
		return
	}
	r := recover()
	if r == nil {
		return
	}
	l.inTurn, l.flushing = false, false
	l.stats.panics.Add(1)
	l.opts.Log.Error("a handler panicked", "event", "PANIC", "where", where, "panic", r, "stack", string(debug.Stack()))
	if c != nil {
		c.because(EndedPanic)
		l.closeSocket(c)
	}
	l.kick()
}
