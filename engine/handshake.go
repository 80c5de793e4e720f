package engine

import (
	"container/list"
	"crypto/tls"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// A handshake can't be interrupted and taken up again, so it runs on a goroutine, which blocks while
// it waits for its client. What it computes costs a few hundred microseconds of CPU, which a loop does
// not have. Two things are bounded: how many handshakes are under way, which is memory, and how many
// of them compute at a time, which leaves the loops their CPU.
//
// Whoever waits for its client does not compute, and gives way when there are too many: the one that
// has waited longest first. So clients that begin a handshake and say nothing more hold up nobody.

const (
	handshakeBytesMax  = 256 << 10 // received from one connection until its handshake is done
	handshakesBytesMax = 32 << 20  // and from all of them
)

var (
	errGone = errors.New("engine: the connection is gone")
	errShed = errors.New("engine: too many handshakes at a time")
)

// handshakes are those under way. Safe for concurrent use.
type handshakes struct {
	// Set by newHandshakes, then constant.
	max     int
	compute chan struct{} // holds one entry per handshake that computes

	mu       sync.Mutex // guards the fields below and handshake.place; a leaf
	underWay int
	waiting  list.List // of *handshake, those that wait for their client, the longest first
}

func newHandshakes(limit int) *handshakes {
	return &handshakes{max: limit, compute: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// admit counts one more handshake and makes room for it if it must. It reports false if there is none.
func (p *handshakes) admit() bool {
	p.mu.Lock()
	if p.underWay < p.max {
		p.underWay++
		p.mu.Unlock()
		return true
	}
	var victim *handshake
	if oldest := p.waiting.Front(); oldest != nil {
		victim = p.waiting.Remove(oldest).(*handshake)
		victim.place, victim.evicted = nil, true // its room is taken over
	}
	p.mu.Unlock()
	if victim == nil {
		return false
	}
	victim.fail(errShed)
	return true
}

// leave ends what admit began.
func (p *handshakes) leave(h *handshake) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !h.evicted {
		p.underWay--
	}
}

// pause is called when h has to wait for its client.
func (p *handshakes) pause(h *handshake) {
	p.release(h)
	p.mu.Lock()
	defer p.mu.Unlock()
	h.place = p.waiting.PushBack(h)
}

// resume is called when something has come for h. It waits for others to compute.
func (p *handshakes) resume(h *handshake) {
	p.mu.Lock()
	if h.place != nil {
		p.waiting.Remove(h.place)
		h.place = nil
	}
	p.mu.Unlock()
	p.acquire(h)
}

func (p *handshakes) acquire(h *handshake) {
	p.compute <- struct{}{}
	h.computes = true
}

func (p *handshakes) release(h *handshake) {
	if h.computes {
		<-p.compute
		h.computes = false
	}
}

// handshake is one of them. A goroutine of its own is at it; the loop feeds it and hears of its end.
type handshake struct {
	// Set by startHandshake, then constant.
	engine *Engine
	loop   int
	id     protocol.ConnID
	tls    *tls.Conn
	more   chan struct{} // something was received, or the end has come; holds one

	// Owned by the goroutine; once it has posted its end, by the loop.
	computes bool
	err      error // why it failed

	place   *list.Element // guarded by handshakes.mu; nil: does not wait
	evicted bool          // guarded by handshakes.mu

	mu  sync.Mutex // guards the fields below; a leaf
	in  []byte     // received and not read
	end error      // why it is given up
}

// startHandshake gives c, whose first record is in b, to a goroutine of its own, or sheds it.
func (l *Loop) startHandshake(c *Conn, b []byte) {
	e := c.edge
	if !l.charge(c, len(b)-e.charged) {
		return
	}
	if !l.engine.handshakes.admit() {
		l.shed(c)
		return
	}
	h := &handshake{engine: l.engine, loop: l.id, id: c.ID(), more: make(chan struct{}, 1), in: append([]byte(nil), b...)}
	e.wire.hs = h
	h.tls = tls.Server(&e.wire, l.opts.TLS)
	e.hs, e.phase = h, phaseHandshake
	go h.run() // ends with the handshake or the connection; closeEdge and the loop's timer see to that
}

func (l *Loop) shed(c *Conn) {
	l.stats.handshakesShed.Add(1)
	l.engine.slowLog.warn("TLS_HANDSHAKE", "refused a connection: too many TLS handshakes at a time", "handshakesMax", l.opts.HandshakesMax)
	c.because(EndedOverload)
	l.closeSocket(c)
}

// feedHandshake hands what was read to the goroutine.
func (l *Loop) feedHandshake(c *Conn, b []byte) {
	if !l.charge(c, len(b)) {
		return
	}
	h := c.edge.hs
	h.mu.Lock()
	h.in = append(h.in, b...)
	h.mu.Unlock()
	h.signal()
}

func (h *handshake) signal() {
	select {
	case h.more <- struct{}{}:
	default: // a signal waits already
	}
}

// fail gives the handshake up.
func (h *handshake) fail(err error) {
	h.mu.Lock()
	if h.end == nil {
		h.end = err
	}
	h.mu.Unlock()
	h.signal()
}

// given returns why the handshake is given up, nil if it is not.
func (h *handshake) given() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.end
}

// run is the goroutine of h.
func (h *handshake) run() {
	pool := h.engine.handshakes
	pool.acquire(h)
	err := h.shake()
	pool.release(h)
	pool.leave(h)
	if end := h.given(); end != nil && err != nil {
		err = end
	}
	h.err = err
	h.engine.Post(h.loop, Mail{Kind: mailHandshake, Conn: h.id, Body: h})
}

func (h *handshake) shake() (err error) {
	defer func() {
		if invariant.Enabled { // under test a panic is to be seen
			return
		}
		if r := recover(); r != nil {
			h.engine.loops[h.loop].stats.panics.Add(1)
			err = fmt.Errorf("engine: a TLS handshake panicked: %v", r)
		}
	}()
	return h.tls.Handshake()
}

// read is wire.Read during the handshake.
func (h *handshake) read(w *wire, p []byte) (int, error) {
	for {
		h.mu.Lock()
		n, end := w.take(p, h.in), h.end
		h.in = h.in[n:]
		h.mu.Unlock()
		if n > 0 && end == nil {
			return n, nil
		}
		if end != nil {
			return 0, end
		}
		h.engine.handshakes.pause(h)
		<-h.more
		h.engine.handshakes.resume(h)
	}
}

// write is wire.Write during the handshake: the socket is the loop's.
func (h *handshake) write(p []byte) (int, error) {
	h.engine.Post(h.loop, Mail{Kind: mailWire, Conn: h.id, Frame: append([]byte(nil), p...)})
	return len(p), nil
}

// handshakeOutput sends what the goroutine of a handshake has written.
func (l *Loop) handshakeOutput(m *Mail) {
	if c := l.Conn(m.Conn); c != nil {
		l.sendRaw(c, m.Frame)
	}
}

// handshakeDone takes a connection over from the goroutine of its handshake.
func (l *Loop) handshakeDone(h *handshake) {
	c := l.Conn(h.id)
	if c == nil || c.edge == nil || c.edge.hs != h {
		return
	}
	e := c.edge
	e.hs, e.wire.hs = nil, nil
	l.discharge(e)
	if h.err != nil {
		l.handshakeFailed(c, h.err)
		return
	}
	l.stats.handshakes.Add(1)
	if h.tls.ConnectionState().DidResume {
		l.stats.resumed.Add(1)
	}
	e.tls, e.wire.loop, e.phase = h.tls, l, phaseSecured
	l.rearm(c, l.opts.HeadTimeout)
	// The client's first request may have come together with the end of its handshake.
	l.decrypt(c, h.in)
}

func (l *Loop) handshakeFailed(c *Conn, err error) {
	if errors.Is(err, errShed) {
		l.shed(c)
		return
	}
	l.stats.handshakesFailed.Add(1)
	l.engine.slowLog.warn("TLS_HANDSHAKE", "a TLS handshake failed: "+err.Error(), "remote", c.RemoteAddr())
	c.because(EndedHandshake)
	l.endWrite(c) // behind the alert that tells the client
}
