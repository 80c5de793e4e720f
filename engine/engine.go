package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// Engine runs the loops of one server.
type Engine struct {
	gnet.BuiltinEventEngine

	// Set by Start, then constant.
	opts       Options
	loops      []*Loop
	start      time.Time
	doors      []*door
	reactor    *gnet.Client // a server without a listener: see accept.go
	partial    *ws.Budget   // of connections that the handler trusts
	strangers  *ws.Budget   // of all others
	owed       budget
	unsecured  budget      // bytes of connections whose TLS handshake is not done
	handshakes *handshakes // nil without TLS
	slowLog    *limitedLog
	done       chan struct{} // closed when nothing is served any more

	web       web
	conns     atomic.Int64
	refused   atomic.Uint64
	unable    atomic.Uint64
	cutAtStop atomic.Int64
	draining  atomic.Bool
	ended     sync.Once
	halt      sync.Once     // gnet closes descriptors by number: once is enough
	halted    chan struct{} // closed when the loops have ended
	runErr    error         // set before done is closed

	pulse []uint64 // owned by the caller of Pulse: the turns each loop had taken
}

// DefaultLoops returns the number of loops for this machine: one CPU is left to the accept
// goroutine, storage and the collector where there are more than two.
func DefaultLoops() int {
	p := runtime.GOMAXPROCS(0)
	if p > 2 {
		p--
	}
	return min(p, protocol.LoopsMax)
}

// Start listens and returns when connections are served, or an error that names the address or the
// option at fault. Stop ends it.
func Start(o Options) (*Engine, error) {
	o = o.withDefaults()
	if o.Loops < 1 || o.Loops > protocol.LoopsMax {
		return nil, fmt.Errorf("engine: %d loops: 1 to %d are possible", o.Loops, protocol.LoopsMax)
	}
	limit, err := connectionsMax(o.ConnectionsMax)
	if err != nil {
		return nil, err
	}
	o.ConnectionsMax = limit
	if o.HTTPConnectionsMax == 0 {
		o.HTTPConnectionsMax = min(max(limit/4, 1), httpConnsMax)
	}
	doors, err := openDoors(&o)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		opts: o, start: time.Now(), doors: doors,
		partial:   ws.NewBudget(o.PartialBytesMax),
		strangers: ws.NewBudget(o.PartialBytesMax / 4),
		owed:      budget{max: o.OwedBytesMax},
		unsecured: budget{max: handshakesBytesMax},
		slowLog:   newLimitedLog(o.Log),
		web:       web{conns: map[*webConn]struct{}{}},
		done:      make(chan struct{}), halted: make(chan struct{}),
	}
	setProcs(o.Loops)
	if o.TLS != nil {
		e.handshakes = newHandshakes(o.HandshakesMax)
	}
	for id := range o.Loops {
		e.loops = append(e.loops, newLoop(e, id))
	}
	if err := e.startReactor(); err != nil {
		closeDoors(doors)
		return nil, err
	}
	for _, d := range doors {
		go e.accept(d) // ends when Stop closes the listener
	}
	return e, nil
}

// startReactor starts gnet's loops and makes each known to the Loop that stands for it.
func (e *Engine) startReactor() (err error) {
	e.reactor, err = gnet.NewClient(e,
		gnet.WithNumEventLoop(e.opts.Loops),
		gnet.WithTicker(true),
		gnet.WithReadBufferCap(readBytesMax),
		gnet.WithTCPNoDelay(gnet.TCPDelay), // leaves it as it is: net has set TCP_NODELAY already
		gnet.WithLogger(gnetLog{e.slowLog}),
	)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	if err := e.reactor.Start(); err != nil {
		return fmt.Errorf("engine: start the loops: %w", err)
	}
	if err := e.bindLoops(); err != nil {
		_ = e.reactor.Stop()
		return err
	}
	return nil
}

// setProcs lets goroutines beside the loops run: a loop parked in epoll_wait keeps its P until the
// runtime's monitor takes it away, so without two to spare they would wait for milliseconds. On one
// CPU there is nothing to run them on, and an idle P is woken for nothing each time a loop falls
// idle, which costs a lone publish a fifth more. Measured in docs/adr/0005-one-p-on-one-cpu.md.
func setProcs(loops int) {
	if os.Getenv("GOMAXPROCS") == "" && runtime.NumCPU() > 1 && runtime.GOMAXPROCS(0) < loops+2 {
		runtime.GOMAXPROCS(loops + 2)
	}
}

// end notes that nothing is served any more, and why.
func (e *Engine) end(err error) {
	e.ended.Do(func() {
		e.runErr = err
		close(e.done)
	})
}

// Done is closed when the engine has stopped, whether asked to or not; Err then tells why.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Err returns why the engine ended, nil after Stop. Valid after Done.
func (e *Engine) Err() error { return e.runErr }

// Addr returns the TCP address listened on, nil if there is only a Unix socket.
func (e *Engine) Addr() *net.TCPAddr {
	addr, _ := e.doors[0].listener.Addr().(*net.TCPAddr)
	return addr
}

// Loops returns the number of loops.
func (e *Engine) Loops() int { return len(e.loops) }

// Draining reports whether Stop has been called.
func (e *Engine) Draining() bool { return e.draining.Load() }

func (e *Engine) since() time.Duration { return time.Since(e.start) }

// Post hands m to a loop from any goroutine. It does not wait.
func (e *Engine) Post(loop int, m Mail) {
	l := e.loops[loop]
	l.posted(l.mail.put([]Mail{m}))
}

// ErrBusy is what Stop returns if a loop still runs.
var ErrBusy = errors.New("engine: a loop was still busy when the time to stop had passed")

// Stop ends the engine: no connection is accepted any more, every client gets what is queued for it
// and then close code 1001, one after the other within Options.DrainTimeout, and those that have got
// everything but do not hang up are left behind. It returns when all are gone, or at the end of ctx,
// which is an error if somebody missed something or a loop does not listen.
func (e *Engine) Stop(ctx context.Context) error {
	e.draining.Store(true)
	closeDoors(e.doors)
	patience, cancel := context.WithTimeout(ctx, untilAbort(ctx))
	defer cancel()
	e.awaitDoors(patience)
	e.sendAway(patience)
	if !e.awaitGone(patience) {
		e.postAll(Mail{Kind: mailAbort})
		e.cutHTTP()
		e.awaitGone(ctx)
	}
	go e.halt.Do(func() { // a busy loop holds it up: ends with that, or with the process
		_ = e.reactor.Stop()
		e.end(nil)
		close(e.halted)
	})
	select {
	case <-e.halted:
	case <-ctx.Done():
		return ErrBusy
	}
	if n := e.cutAtStop.Load(); n > 0 {
		return fmt.Errorf("engine: %d connections were cut off before they had taken what was queued for them", n)
	}
	return nil
}

// awaitDoors waits until whoever was accepted is known to a loop, and can be told to leave.
func (e *Engine) awaitDoors(ctx context.Context) {
	for _, d := range e.doors {
		select {
		case <-d.done:
		case <-ctx.Done():
			return
		}
	}
}

// untilAbort returns when to give up on clients so that the rest of the work fits before ctx ends.
func untilAbort(ctx context.Context) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Hour
	}
	left := time.Until(deadline)
	return left - min(left/5, abortReserve)
}

func (e *Engine) postAll(m Mail) {
	for i := range e.loops {
		e.Post(i, m)
	}
}

// awaitGone waits until no connection is left, and reports whether that was before ctx ended.
func (e *Engine) awaitGone(ctx context.Context) bool {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for e.conns.Load() > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-poll.C:
		}
	}
	return true
}

// OnOpen implements gnet.EventHandler.
func (e *Engine) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	if l, ok := gc.Context().(*Loop); ok {
		l.bind(gc.EventLoop())
		return nil, gnet.None
	}
	l := e.loopOf(gc.EventLoop())
	l.owner.Enter()
	defer l.owner.Leave()
	if e.draining.Load() && e.opts.Listener == nil || l.openedSocket(gc) == gnet.Close {
		e.refused.Add(1)
		e.conns.Add(-1)
		return nil, gnet.Close
	}
	return nil, gnet.None
}

// loopOf returns the Loop that stands for a gnet event loop.
func (e *Engine) loopOf(el gnet.EventLoop) *Loop {
	for _, l := range e.loops {
		if *l.el.Load() == el {
			return l
		}
	}
	panic("engine: an event loop of gnet that nobody is bound to")
}

// OnTraffic implements gnet.EventHandler.
func (e *Engine) OnTraffic(gc gnet.Conn) gnet.Action {
	c, ok := gc.Context().(*Conn)
	if !ok {
		return gnet.Close
	}
	defer c.loop.recoverPanic(c, "message")
	return c.loop.traffic(c, gc)
}

// OnClose implements gnet.EventHandler.
func (e *Engine) OnClose(gc gnet.Conn, _ error) gnet.Action {
	if c, ok := gc.Context().(*Conn); ok {
		c.loop.owner.Enter()
		defer c.loop.owner.Leave()
		e.conns.Add(-1)
		c.loop.closedSocket(c)
	}
	return gnet.None
}

// OnTick implements gnet.EventHandler. It runs on a goroutine of its own and only kicks loops that
// have something to do by the clock.
func (e *Engine) OnTick() (time.Duration, gnet.Action) {
	delay := tickDuration
	wants := e.opts.WantsTurn != nil && e.opts.WantsTurn()
	for _, l := range e.loops {
		blocked, waiting := l.blockedCount.Load() > 0, l.waiting.Load()
		if blocked || waiting || wants || l.timers.Load() {
			l.kick()
		}
		if blocked {
			delay = min(delay, blockedTick)
		}
		if e.opts.FlushInterval > 0 {
			delay = min(delay, e.opts.FlushInterval)
		}
	}
	return delay, gnet.None
}
