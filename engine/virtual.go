package engine

// A virtual connection has a slot and a ConnID like any other, and no socket: what is sent to it goes to
// the Handler instead, at once. So a request that came in another way, over HTTP for example, is answered
// by everybody who answers connections, without their knowing. Until it is open it costs nothing; for
// other connections it is one comparison where sending has failed anyway.

// Receiver is a Handler that opens virtual connections.
type Receiver interface {
	// Receive is called with each frame sent to a virtual connection, possibly in the middle of whatever
	// sends it: it notes what it needs and calls nobody but Loop.CloseVirtual. frame is the Receiver's,
	// to keep.
	Receive(c *Conn, frame []byte)
}

// OpenVirtual returns a new virtual connection, or nil when there is no slot left. The Handler must be a
// Receiver. Handler.Open is not called, Close and Release are when it has been closed.
func (l *Loop) OpenVirtual() *Conn {
	c := l.conns.acquire()
	if c == nil {
		return nil
	}
	*l.laneOf(c) = closedLane // nothing is ever collected for it
	c.fd, c.loop, c.state, c.opened, c.seen = -1, l, stateVirtual, true, l.now
	return c
}

// CloseVirtual ends a virtual connection; the Handler is told at the end of the turn. It may be called
// wherever something is sent.
func (l *Loop) CloseVirtual(c *Conn) {
	if c.state != stateVirtual {
		return
	}
	c.state = stateClosed
	l.dead = append(l.dead, c.slot)
	if !l.inTurn {
		l.kick()
	}
}
