package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/gnet/v2"

	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// Engine runs the loops of one listener.
type Engine struct {
	gnet.BuiltinEventEngine

	// Set by Start, then constant.
	opts    Options
	loops   []*Loop
	start   time.Time
	partial *ws.Budget
	slowLog *limitedLog
	done    chan struct{} // closed when gnet has returned
	ready   chan struct{} // closed when every loop is bound

	// Set by OnBoot, before ready.
	gnet   gnet.Engine
	addr   *net.TCPAddr
	probes []net.Conn

	conns    atomic.Int64
	refused  atomic.Uint64
	draining atomic.Bool
	stopping atomic.Bool
	runErr   error // set before done is closed

	mu    sync.Mutex // guards bound; a leaf
	bound int        // loops[:bound] know their gnet event loop
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
	e := &Engine{
		opts: o, start: time.Now(),
		partial: ws.NewBudget(o.PartialBytesMax),
		slowLog: newLimitedLog(o.Log),
		done:    make(chan struct{}), ready: make(chan struct{}),
	}
	setProcs(o.Loops)
	for id := range o.Loops {
		e.loops = append(e.loops, newLoop(e, id))
	}
	if err := probePort(o.Host, o.Port); err != nil {
		return nil, err
	}
	go e.run() // ends when Stop is called or gnet fails; Stop waits for done
	select {
	case <-e.ready:
		return e, nil
	case <-e.done:
		return nil, fmt.Errorf("engine: listen on %s: %w", e.hostPort(), e.runErr)
	}
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

func (e *Engine) hostPort() string { return net.JoinHostPort(e.opts.Host, strconv.Itoa(e.opts.Port)) }

func (e *Engine) run() {
	defer close(e.done)
	err := gnet.Rotate(e, []string{"tcp://" + e.hostPort()},
		gnet.WithNumEventLoop(e.opts.Loops),
		gnet.WithReuseAddr(true), // else a restart fails while old connections are in TIME_WAIT
		gnet.WithTicker(true),
		gnet.WithReadBufferCap(readBytesMax),
		gnet.WithTCPNoDelay(gnet.TCPNoDelay),
		gnet.WithLoadBalancing(gnet.RoundRobin),
		gnet.WithLogger(gnetLog{e.slowLog}),
	)
	if err == nil && !e.stopping.Load() {
		err = errors.New("the accept loop ended by itself (out of file descriptors?)")
	}
	e.runErr = err
}

// Done is closed when the engine has stopped, whether asked to or not; Err then tells why.
func (e *Engine) Done() <-chan struct{} { return e.done }

// Err returns why the engine ended, nil after Stop. Valid after Done.
func (e *Engine) Err() error { return e.runErr }

// Addr returns the address listened on.
func (e *Engine) Addr() *net.TCPAddr { return e.addr }

// Loops returns the number of loops.
func (e *Engine) Loops() int { return len(e.loops) }

// Draining reports whether Stop has been called.
func (e *Engine) Draining() bool { return e.draining.Load() }

func (e *Engine) since() time.Duration { return time.Since(e.start) }

// Post hands m to a loop from any goroutine. It does not wait.
func (e *Engine) Post(loop int, m Mail) {
	l := e.loops[loop]
	if l.mail.put([]Mail{m}) > 0 {
		l.stats.droppedMail.Add(1)
	}
	l.kick()
}

// Stop ends the engine: no connection is accepted any more, every client gets what is queued for it
// and then close code 1001. It waits until all are gone or ctx ends, and stops the loops.
func (e *Engine) Stop(ctx context.Context) error {
	e.draining.Store(true)
	for i := range e.loops {
		e.Post(i, Mail{Kind: mailDrain})
	}
	err := e.awaitGone(ctx)
	e.stopping.Store(true)
	go func() { _ = e.gnet.Stop(context.Background()) }() // polls; done tells sooner
	<-e.done
	return err
}

func (e *Engine) awaitGone(ctx context.Context) error {
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for e.conns.Load() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("engine: %d connections did not leave in time: %w", e.conns.Load(), ctx.Err())
		case <-e.done:
			return nil
		case <-poll.C:
		}
	}
	return nil
}

// OnBoot implements gnet.EventHandler. The listener exists, the loops do not run yet.
func (e *Engine) OnBoot(g gnet.Engine) gnet.Action {
	e.gnet = g
	addr, err := tuneListener(g)
	if err == nil {
		e.addr = addr
		err = e.probe()
	}
	if err != nil {
		e.opts.Log.Error("can't prepare the listener", "event", "LISTEN", "error", err)
		return gnet.Shutdown
	}
	return gnet.None
}

// probe opens one connection per loop to our own listener. gnet shows a loop only through a
// connection on it, hands connections out in turn, and a loop must be known before mail for it can
// be delivered.
func (e *Engine) probe() error {
	target := *e.addr
	if target.IP.IsUnspecified() {
		target.IP = net.IPv4(127, 0, 0, 1)
	}
	for range e.loops {
		c, err := net.DialTimeout("tcp", target.String(), 5*time.Second)
		if err != nil {
			return fmt.Errorf("engine: connect to our own listener: %w", err)
		}
		e.probes = append(e.probes, c)
	}
	return nil
}

// bind returns the Loop that stands for a gnet event loop.
func (e *Engine) bind(el gnet.EventLoop) *Loop {
	for _, l := range e.loops {
		if p := l.el.Load(); p != nil && *p == el {
			return l
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.loops[e.bound]
	l.el.Store(&el)
	e.bound++
	l.kick() // mail may be waiting
	if e.bound == len(e.loops) {
		for _, c := range e.probes {
			_ = c.Close()
		}
		close(e.ready)
	}
	return l
}

// OnOpen implements gnet.EventHandler.
func (e *Engine) OnOpen(gc gnet.Conn) ([]byte, gnet.Action) {
	l := e.bind(gc.EventLoop())
	l.owner.Enter()
	defer l.owner.Leave()
	if e.draining.Load() {
		return nil, gnet.Close
	}
	if e.conns.Add(1) > int64(e.opts.ConnectionsMax) {
		e.conns.Add(-1)
		e.refused.Add(1)
		e.slowLog.warn("CONNECTION_LIMIT", "refused a connection: the limit is reached", "maxConnections", e.opts.ConnectionsMax)
		return nil, gnet.Close
	}
	action := l.openedSocket(gc)
	if action == gnet.Close {
		e.conns.Add(-1)
	}
	return nil, action
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
