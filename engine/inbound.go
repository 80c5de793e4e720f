package engine

import (
	"errors"
	"net/http"

	"github.com/panjf2000/gnet/v2"

	"deepstream-fast/codec/ws"
	"deepstream-fast/internal/invariant"
)

// openedSocket takes a socket that gnet has just accepted onto its loop.
func (l *Loop) openedSocket(gc gnet.Conn) gnet.Action {
	l.readClock()
	d, _ := gc.Context().(*door)
	c := l.conns.acquire()
	if c == nil {
		return gnet.Close
	}
	l.laneOf(c).tail = 0
	c.gc, c.fd, c.loop, c.state, c.seen = gc, gc.Fd(), l, stateHead, l.now
	gc.SetContext(c)
	l.stats.opened.Add(1)
	l.rearm(c, l.headTimeout())
	if d != nil && !d.plain() {
		l.openEdge(c, d)
	}
	return gnet.None
}

// closedSocket is called by gnet when it lets go of a socket, possibly in the middle of a write of
// ours: it only marks the connection, reap does the rest.
func (l *Loop) closedSocket(c *Conn) {
	if len(l.dirty) > 0 && !l.flushing {
		// A peer that has only shut its sending side still reads: what it has asked for is written
		// before gnet closes the descriptor.
		l.relieve()
	}
	if c.edge != nil {
		l.closeEdge(c)
	}
	if c.out != nil {
		l.unblock(c)
	}
	if c.timer != 0 {
		l.wheel.Cancel(c.timer)
		c.timer = 0
	}
	if c.state != stateClosing { // startClosing has listed it already
		l.dead = append(l.dead, c.slot)
	}
	c.gc, c.fd, c.state, c.head = nil, -1, stateClosed, nil
	*l.laneOf(c) = closedLane
	c.reader.Release()
	l.stats.closed.Add(1)
	l.stats.ended[c.ending].Add(1)
	if !l.inTurn {
		l.kick()
	}
}

// traffic consumes everything that was read from c.
func (l *Loop) traffic(c *Conn, gc gnet.Conn) gnet.Action {
	l.owner.Enter()
	defer l.owner.Leave()
	l.readClock()
	if l.mail.news.Load() {
		l.takeNews()
		if c.gc == nil {
			return gnet.None // which has closed it
		}
	}
	b, _ := gc.Next(-1)
	c.seen = l.now
	l.stats.bytesIn.Add(uint64(len(b)))
	if c.edge != nil {
		l.edgeTraffic(c, b)
	} else {
		l.consume(c, b)
	}
	invariant.Poison(b)
	l.endRead()
	return gnet.None
}

// takeNews hears from the other loops between two turns. What is left has its turn. Whatever fails in it is
// not the fault of the connection that is about to be read.
func (l *Loop) takeNews() {
	defer l.recoverPanic(nil, "mail")
	l.drainMail()
}

// consume takes what c's peer has said, decrypted if need be.
func (l *Loop) consume(c *Conn, b []byte) {
	if c.state == stateHead {
		b = l.readHead(c, b)
	}
	if c.state == stateOpen {
		l.readFrames(c, b)
	}
}

// endRead settles at once when sockets become readable one by one, and leaves it to a turn
// otherwise. A turn costs a wake-up of a microsecond or two, which a lone message would pay for
// nothing; under load it is what gathers the deliveries of many reads into one write. gnet does not
// tell how many sockets are ready, so the last turn stands for the next, and two reads in close
// succession for two sockets that were ready together: close in relation to what the last turn's
// writes took, because a busy loop finds its next sockets ready as soon as it looks.
func (l *Loop) endRead() {
	if len(l.dirty) == 0 && !l.posting {
		return
	}
	quiet := l.now-l.settled > quietGap+l.writing/8
	l.reads++
	if !quiet {
		l.reads++
	}
	if quiet && l.lone && !l.scheduled.Load() && len(l.dead) == 0 && l.opts.FlushInterval == 0 {
		l.inTurn = true
		l.settle(true)
		l.inTurn = false
		if len(l.dead) == 0 {
			return
		}
	}
	l.kick()
}

// readFrames hands every complete message in b to the handler, in order.
func (l *Loop) readFrames(c *Conn, b []byte) {
	for c.state == stateOpen {
		limits := &l.limits
		if c.trusted {
			limits = &l.trusted
		}
		m, n, err := c.reader.Next(b, limits)
		b = b[n:]
		if err != nil {
			l.protocolError(c, err)
			return
		}
		switch m.Kind {
		case ws.None:
			if c.since == 0 && c.reader.Partial() {
				c.since = l.now
			}
			return
		case ws.Binary, ws.Text:
			c.since = 0
			l.stats.messagesIn.Add(1)
			l.handler.Message(c, m.Payload, m.Kind == ws.Text)
		case ws.Ping:
			l.Send(c, ws.AppendFrame(nil, ws.Pong, m.Payload), Reply)
		case ws.Close:
			l.Send(c, ws.AppendClose(nil, m.Code, ""), Reply)
			c.hangup = true // the peer sends nothing after its close frame
			l.startClosing(c)
		}
	}
}

func (l *Loop) protocolError(c *Conn, err error) {
	l.stats.protocolErrors.Add(1)
	code, reason := ws.CloseProtocolError, "protocol error"
	var ce *ws.CloseError
	if errors.As(err, &ce) {
		code, reason = ce.Code, ce.Reason
	}
	l.Close(c, code, reason)
}

// Trust lets c send messages of up to Options.BulkBytesMax that Options.Bulk approves. The handler
// calls it once it knows who is there.
func (l *Loop) Trust(c *Conn) { c.trusted = true }

// readHead collects an HTTP request head, answers it, and returns the bytes behind it. c has become
// a WebSocket, waits for its next request, or is closing.
func (l *Loop) readHead(c *Conn, b []byte) []byte {
	if len(c.head) == 0 && l.speaksTLS(c, b) {
		return nil
	}
	for c.state == stateHead && len(b) > 0 {
		head, rest := c.takeHead(b)
		switch {
		case len(head) > headBytesMax || head == nil && len(c.head) > headBytesMax:
			l.engine.web.flaws[ws.FlawSize].Add(1)
			l.refuse(c, ws.AppendRefusal(nil, http.StatusRequestHeaderFieldsTooLarge))
			return nil
		case head == nil:
			return nil
		}
		l.request(c, head, rest)
		c.head, b = nil, rest
	}
	return b
}

// takeHead returns a complete request head and the bytes behind it, or nil after keeping b for later.
func (c *Conn) takeHead(b []byte) (head, rest []byte) {
	if len(c.head) == 0 {
		if end := ws.HeadEnd(b, 0); end >= 0 {
			return b[:end], b[end:]
		}
	}
	had := len(c.head)
	c.head = append(c.head, b[:min(len(b), headBytesMax+1-had)]...)
	end := ws.HeadEnd(c.head, max(0, had-3))
	if end < 0 && ws.BareLF(c.head, had) {
		return c.head, nil // never ends, and is refused for that
	}
	if end < 0 {
		return nil, nil
	}
	return c.head[:end], b[end-had:]
}

// request answers one complete request head; rest is what was read behind it.
func (l *Loop) request(c *Conn, raw, rest []byte) {
	head, err := ws.ParseHead(raw)
	switch {
	case err != nil:
		l.engine.badHead(err)
		l.refuse(c, refusal(err))
	case head.Upgrade:
		l.upgrade(c, raw)
	default:
		l.respond(c, raw, rest, &head)
	}
}

func (l *Loop) upgrade(c *Conn, raw []byte) {
	response, hs, err := ws.Upgrade(raw, l.opts.Upgrade)
	if err != nil {
		l.refuse(c, response)
		return
	}
	l.enqueue(c, response, Reply)
	c.state, c.opened = stateOpen, true
	l.clearLane(c)
	l.rearm(c, l.opts.HeartbeatInterval)
	l.stats.upgrades.Add(1)
	l.handler.Open(c, &hs)
	if l.engine.draining.Load() { // a close it understands, where a refusal would look like an outage
		l.goAway(c)
	}
}

// respond answers a plain HTTP request, or lets it leave. The connection stays for the next one if both
// sides agree.
func (l *Loop) respond(c *Conn, raw, rest []byte, head *ws.Head) {
	answer := l.opts.HTTP(head)
	if answer.Status == 0 {
		l.handOff(c, raw, rest)
		return
	}
	keep := keepsAlive(head)
	response := appendResponse(nil, answer, keep, string(head.Method) == http.MethodHead)
	l.stats.requests.Add(1)
	if !keep {
		l.refuse(c, response)
		return
	}
	l.enqueue(c, response, Reply)
	l.rearm(c, l.opts.HeadTimeout)
}

// refusal returns the response to a head that can't be read.
func refusal(err error) []byte {
	status := http.StatusBadRequest
	var se ws.StatusError
	if errors.As(err, &se) {
		status = int(se)
	}
	return ws.AppendRefusal(nil, status)
}

// flawOf returns why a head was refused.
func flawOf(err error) ws.Flaw {
	var he *ws.HeadError
	if errors.As(err, &he) {
		return he.Flaw
	}
	return ws.FlawNone
}

// refuse sends a last HTTP response and ends the connection.
func (l *Loop) refuse(c *Conn, response []byte) {
	c.because(EndedRequest)
	l.enqueue(c, response, Reply)
	l.startClosing(c)
}
