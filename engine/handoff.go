package engine

import (
	"context"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"deepstream-fast/codec/ws"
)

// An HTTP request that the head alone does not answer leaves the reactor with its connection, for good:
// the descriptor is duplicated, what was read already is read again, and from then on a goroutine of
// net/http serves it. WebSockets never do, so they cost no goroutine.
//
// What net/http reads passes ws.Requests first, which is stricter about where a request ends; a request
// that two servers in a row could cut differently never reaches a handler.

// web is the connections that have left.
type web struct {
	mu    sync.Mutex // guards conns; a leaf
	conns map[*webConn]struct{}

	open    atomic.Int64 // reservations: conns, and those on their way
	handed  atomic.Uint64
	refused atomic.Uint64
	flaws   [ws.Flaws]atomic.Uint64
}

// HTTPStats are counts of plain HTTP requests and of the connections that have left the reactor.
type HTTPStats struct {
	Connections int              // that have left, now
	HandedOff   uint64           // that ever did
	Refused     uint64           // over HTTPConnectionsMax, while stopping, without a descriptor, or to peers that take nothing
	Flaws       [ws.Flaws]uint64 // requests refused, upgrades included, by what was wrong with them
}

// HTTPStats returns the current numbers.
func (e *Engine) HTTPStats() HTTPStats {
	s := HTTPStats{Connections: int(e.web.open.Load()), HandedOff: e.web.handed.Load(), Refused: e.web.refused.Load()}
	for i := range s.Flaws {
		s.Flaws[i] = e.web.flaws[i].Load()
	}
	return s
}

// handOff lets c leave with the request head raw and the bytes behind it, or refuses the request.
func (l *Loop) handOff(c *Conn, raw, rest []byte) {
	if l.laneOf(c).tail != 0 { // answers to earlier requests of a pipeline go first
		l.relieve()
	}
	e := l.engine
	switch {
	case c.state != stateHead: // that was too much for it
		return
	case c.out != nil || !e.reserveHTTP():
		e.web.refused.Add(1)
		l.refuse(c, ws.AppendRefusal(nil, http.StatusServiceUnavailable))
		return
	}
	read, remote := slices.Concat(raw, rest), c.proxied()
	if c.Secure() {
		conn, err := l.detachTLS(c, read)
		if err != nil {
			l.cannotHandOff(c, err)
			return
		}
		go e.present(conn, nil, nil) // ends when Options.Handoff has returned
		return
	}
	fd, err := c.gc.Dup()
	if err != nil {
		l.cannotHandOff(c, err)
		return
	}
	c.because(EndedHandedOver)
	l.closeSocket(c)             // closes gnet's descriptor only: the peer notices nothing
	go e.adopt(fd, read, remote) // the same
}

func (l *Loop) cannotHandOff(c *Conn, err error) {
	l.engine.releaseHTTP()
	l.engine.web.refused.Add(1)
	l.engine.slowLog.warn("ACCEPT", "can't hand a connection over: "+err.Error())
	l.refuse(c, ws.AppendRefusal(nil, http.StatusServiceUnavailable))
}

// adopt makes a connection out of a descriptor. remote is whom a proxy acts for, nil: nobody.
func (e *Engine) adopt(fd int, replay []byte, remote net.Addr) {
	f := os.NewFile(uintptr(fd), "")
	conn, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		e.releaseHTTP()
		e.web.refused.Add(1)
		e.slowLog.warn("ACCEPT", "can't hand a connection over: "+err.Error())
		return
	}
	e.present(conn, replay, remote)
}

// HandOff gives conn, which is not the reactor's any more, to Options.Handoff: a connection that something
// else than a reactor's socket stands behind. replay is what was read of it already. Beyond
// HTTPConnectionsMax, or without an Options.Handoff, it closes conn and reports false. Safe for
// concurrent use; it may wait for Options.Handoff.
func (e *Engine) HandOff(conn net.Conn, replay []byte) bool {
	if !e.reserveHTTP() {
		e.web.refused.Add(1)
		_ = conn.Close()
		return false
	}
	e.present(conn, replay, nil)
	return true
}

// reserveHTTP makes room for one more connection, or returns false. It counts like any other.
func (e *Engine) reserveHTTP() bool {
	if e.opts.Handoff == nil || e.draining.Load() {
		return false
	}
	if e.web.open.Add(1) > int64(e.opts.HTTPConnectionsMax) {
		e.web.open.Add(-1)
		return false
	}
	e.conns.Add(1)
	return true
}

func (e *Engine) releaseHTTP() {
	e.web.open.Add(-1)
	e.conns.Add(-1)
}

// present hands over a connection that there is room for.
func (e *Engine) present(conn net.Conn, replay []byte, remote net.Addr) {
	c := &webConn{Conn: conn, engine: e, replay: replay, remote: remote}
	e.web.mu.Lock()
	e.web.conns[c] = struct{}{}
	e.web.mu.Unlock()
	e.web.handed.Add(1)
	e.opts.Handoff(c)
}

// cutHTTP ends all connections that have left, and counts them as cut off: those without a request have
// been closed by whoever serves them.
func (e *Engine) cutHTTP() {
	e.web.mu.Lock()
	left := make([]*webConn, 0, len(e.web.conns))
	for c := range e.web.conns {
		left = append(left, c)
	}
	e.web.mu.Unlock()
	for _, c := range left {
		e.cutAtStop.Add(1)
		_ = c.Close()
	}
}

// badHead counts a request that is refused for its head.
func (e *Engine) badHead(err error) { e.web.flaws[flawOf(err)].Add(1) }

// webConn is a connection that has left. One goroutine reads at a time.
type webConn struct {
	net.Conn // Close is ours

	// Set by present, then constant.
	engine *Engine
	remote net.Addr // whom a proxy acts for; nil: nobody

	// Owned by whoever reads.
	replay  []byte // was read before, not yet handed out
	checked ws.Requests
	refusal []byte // what is handed out in place of a flawed head, so that net/http answers it
	err     error  // and then: a flaw

	closed sync.Once
}

// Read implements net.Conn. It returns what is fit to be seen, and then the flaw as an error.
func (c *webConn) Read(p []byte) (int, error) {
	if c.err != nil {
		n := copy(p, c.refusal)
		if c.refusal = c.refusal[n:]; n > 0 {
			return n, nil
		}
		return 0, c.err
	}
	n, err := c.fill(p)
	fit, flaw := c.checked.Check(p[:n])
	if flaw == nil {
		return n, err
	}
	c.err = flaw
	c.engine.badHead(flaw)
	if c.checked.InHead() {
		c.refusal = badHead
	}
	if fit > 0 {
		return fit, nil
	}
	return c.Read(p)
}

// badHead ends any head in a way that net/http answers with 400. The error alone it would take for a
// connection that has broken.
var badHead = []byte("\x00\r\n\r\n")

func (c *webConn) fill(p []byte) (int, error) {
	if len(c.replay) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.replay)
	if c.replay = c.replay[n:]; len(c.replay) == 0 {
		c.replay = nil
	}
	return n, nil
}

// RemoteAddr returns the client's address, also behind a proxy that has told it.
func (c *webConn) RemoteAddr() net.Addr {
	if c.remote != nil {
		return c.remote
	}
	return c.Conn.RemoteAddr()
}

// Close implements net.Conn.
func (c *webConn) Close() error {
	c.closed.Do(func() {
		c.engine.web.mu.Lock()
		delete(c.engine.web.conns, c)
		c.engine.web.mu.Unlock()
		c.engine.releaseHTTP()
	})
	return c.Conn.Close()
}

// CloseWrite ends the sending direction, which lets net/http close without destroying its last answer.
func (c *webConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Listener is a net.Listener whose connections are handed to it. Take is an Options.Handoff.
type Listener struct {
	addr   net.Addr
	conns  chan net.Conn
	ctx    context.Context
	cancel context.CancelFunc
}

// NewListener returns a Listener that says it listens on addr.
func NewListener(addr net.Addr) *Listener {
	l := &Listener{addr: addr, conns: make(chan net.Conn)}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Take waits until conn is accepted. When the Listener is closed, so is conn.
func (l *Listener) Take(conn net.Conn) {
	select {
	case l.conns <- conn:
	case <-l.ctx.Done():
		_ = conn.Close()
	}
}

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	l.cancel()
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.addr }
