package engine

import (
	"deepstream-fast/codec/ws"
	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// Class says what a frame is, which decides how it is treated when its connection is slow.
type Class uint8

const (
	// Reply answers the connection's own request. It may fill a larger backlog, since the peer asked
	// for it, and it is never dropped.
	Reply Class = iota
	// Broadcast came about by somebody else's doing. It is never dropped either.
	Broadcast
	// Droppable is a Broadcast that a dropping SlowPolicy may discard.
	Droppable
)

// node is one delivery of this turn. It holds no pointer: appending one costs no write barrier and
// the list nothing to collect.
type node struct{ frame, next uint32 }

// outFrame is a frame that this turn delivers to at least one connection.
type outFrame struct {
	bytes []byte
	class Class
}

// addFrame makes frame known to the current turn and returns its index.
func (l *Loop) addFrame(frame []byte, class Class) uint32 {
	l.frames = append(l.frames, outFrame{frame, class})
	l.frameBytes += len(frame)
	return uint32(len(l.frames) - 1)
}

// deliver appends the frame with index fi to what c gets at the end of the turn.
func (l *Loop) deliver(c *Conn, fi uint32) {
	l.nodes = append(l.nodes, node{frame: fi})
	n := uint32(len(l.nodes)) // index + 1, so that 0 means none
	if c.first == 0 {
		c.first = n
		l.dirty = append(l.dirty, c.slot)
	} else {
		l.nodes[c.last-1].next = n
	}
	c.last = n
}

// Send queues a complete frame for c. The frame must not change afterwards. A connection that is
// not open swallows it.
func (l *Loop) Send(c *Conn, frame []byte, class Class) {
	if c.state != stateOpen {
		return
	}
	l.deliver(c, l.addFrame(frame, class))
}

// SendAll queues one frame for the connections in slots, except one (NoSlot: none). Hot path: 0 allocs, see BenchmarkDeliver.
func (l *Loop) SendAll(slots []uint32, except uint32, frame []byte, class Class) {
	fi := l.addFrame(frame, class)
	for _, slot := range slots {
		if slot == except {
			continue
		}
		if c := l.conns.at(slot); c.state == stateOpen {
			l.deliver(c, fi)
		}
	}
}

// NoSlot is no connection's slot.
const NoSlot = ^uint32(0)

// overfull reports whether so much is collected that the turn must be flushed early.
func (l *Loop) overfull() bool {
	return len(l.nodes) >= nodesMax || l.frameBytes >= frameBytesMax
}

// flushDirty writes what the turn has collected, at most one write per connection for anything that
// fits the cork. A failing write runs OnClose synchronously, which only marks the connection.
func (l *Loop) flushDirty() {
	for i := 0; i < len(l.dirty); i++ {
		l.flush(l.conns.at(l.dirty[i]))
	}
	l.dirty = l.dirty[:0]
	l.nodes = l.nodes[:0]
	clear(l.frames) // frames are collected once nobody waits for them
	l.frames = l.frames[:0]
	l.frameBytes = 0
	if cap(l.nodes) > nodesMax { // one publish to a million connections is not kept for ever
		l.nodes = nil
	}
	if cap(l.frames) > nodesMax {
		l.frames = nil
	}
}

// flush writes or backlogs the deliveries of c.
func (l *Loop) flush(c *Conn) {
	n := c.first
	c.first, c.last = 0, 0
	if c.state == stateClosed || c.state == stateFree {
		return
	}
	first := &l.nodes[n-1]
	if first.next == 0 && c.out == nil { // one frame: no copy
		f := &l.frames[first.frame]
		l.writeOrKeep(c, f.bytes, f.class)
	} else {
		l.flushMany(c, n)
	}
	if c.state == stateClosing {
		l.finish(c)
	}
}

// flushMany gathers the deliveries from node n on in the cork and writes it when it is full. A frame
// too large for gathering is written on its own.
func (l *Loop) flushMany(c *Conn, n uint32) {
	cork := l.cork[:0]
	for ; n != 0 && c.state != stateClosed; n = l.nodes[n-1].next {
		f := &l.frames[l.nodes[n-1].frame]
		large := len(f.bytes) >= corkFrameMax
		if c.out == nil && len(cork) > 0 && (large || len(cork)+len(f.bytes) > corkBytes) {
			l.write(c, cork)
			cork = cork[:0]
			if c.state == stateClosed {
				return
			}
		}
		if large || c.out != nil {
			l.writeOrKeep(c, f.bytes, f.class)
		} else {
			cork = append(cork, f.bytes...)
		}
	}
	if len(cork) > 0 {
		l.write(c, cork)
	}
}

// writeOrKeep writes frame in pieces that gnet may hold, or keeps what the peer does not take.
func (l *Loop) writeOrKeep(c *Conn, frame []byte, class Class) {
	if c.out != nil {
		l.keep(c, frame, class)
		return
	}
	for len(frame) > 0 {
		piece := frame[:min(len(frame), corkBytes)]
		frame = frame[len(piece):]
		if l.write(c, piece) {
			continue
		}
		if c.state != stateClosed && len(frame) > 0 {
			c.out.pushRest(frame, class)
			l.enforce(c)
		}
		return
	}
}

// write gives b, at most corkBytes, to the socket. It reports whether more may follow: not if the
// connection is gone, nor if gnet had to keep a part, after which the connection is blocked.
func (l *Loop) write(c *Conn, b []byte) bool {
	if invariant.Enabled {
		invariant.Assert(c.gc.OutboundBuffered() == 0, "engine: write to %s with %d bytes outstanding (I3)", c.ID(), c.gc.OutboundBuffered())
		invariant.Assert(len(b) <= corkBytes, "engine: a write of %d bytes (I4)", len(b))
	}
	l.stats.bytesOut.Add(uint64(len(b)))
	l.stats.writes.Add(1)
	n := send(c.fd, b)
	if n == len(b) {
		return true
	}
	// gnet keeps the rest and waits until the socket is writable, or closes it.
	_, _ = c.gc.Write(b[n:])
	if c.state == stateClosed {
		return false
	}
	if c.gc.OutboundBuffered() == 0 {
		return true
	}
	l.block(c)
	return false
}

// Close ends c with a WebSocket close frame behind everything already queued for it. The Handler is
// told at the end of the turn; the socket goes when the peer answers or after CloseTimeout.
func (l *Loop) Close(c *Conn, code ws.CloseCode, reason string) {
	if c.state != stateOpen {
		return
	}
	l.Send(c, ws.AppendClose(nil, code, reason), Reply)
	l.startClosing(c)
}

// Abort ends c at once and frees what the kernel still holds for it.
func (l *Loop) Abort(c *Conn) {
	if c.gc == nil {
		return
	}
	_ = c.gc.SetLinger(0)
	l.closeSocket(c)
}

func (l *Loop) startClosing(c *Conn) {
	c.state = stateClosing
	c.reader.Release()
	c.since = 0
	c.head = nil
	l.rearm(c, l.opts.CloseTimeout)
	l.dead = append(l.dead, c.slot)
	l.kick()
}

// finish ends the sending direction of a closing connection once everything is written.
func (l *Loop) finish(c *Conn) {
	if c.out != nil || c.finSent {
		return
	}
	if c.hangup {
		l.closeSocket(c)
		return
	}
	c.finSent = true
	shutdownWrite(c.gc)
}

// closeSocket closes c's socket now; OnClose runs before it returns.
func (l *Loop) closeSocket(c *Conn) {
	if c.gc != nil {
		_ = c.gc.EventLoop().Close(c.gc)
	}
}

// Conn returns the connection named id if this loop owns it and it is still there, else nil.
func (l *Loop) Conn(id protocol.ConnID) *Conn {
	slot := id.Slot()
	if id.Loop() != l.id || slot >= uint32(len(l.conns.chunks))*chunkConns {
		return nil
	}
	c := l.conns.at(slot)
	if c.gen != id.Gen() || c.state == stateFree || c.state == stateClosed {
		return nil
	}
	return c
}
