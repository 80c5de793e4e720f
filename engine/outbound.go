package engine

import (
	"bytes"

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

// node is a run of frames, by index, that one connection gets in this turn, and the run behind it.
// It holds no pointer: appending one costs no write barrier and the list nothing to collect.
type node struct {
	frame, end uint32 // frames[frame:end], which lie behind one another in memory
	next       uint32 // index + 1 into nodes; 0: none
}

// dirtyConn is a connection that gets something in this turn.
type dirtyConn struct{ slot, first uint32 }

// outFrame is a frame that this turn delivers to at least one connection.
type outFrame struct {
	bytes  []byte
	class  Class
	joined bool // lies directly behind the frame before it, in the same array
}

// lane is all that a delivery touches of a connection that keeps up: eight bytes, where a Conn would be several
// lines of the processor's cache, for each of many that a publication reaches.
type lane struct {
	tail uint32 // last node of this turn's deliveries (index + 1), 0 or tailClosed
	fd   int32  // of the socket, if what is flushed may go there as it is; -1: Conn says what to do
}

// tailClosed stands for a connection that gets nothing any more.
const tailClosed = ^uint32(0)

var closedLane = lane{tail: tailClosed, fd: -1}

// laneOf returns the lane of c, which it makes if c is the first in its slot. It is valid until the next
// connection comes.
func (l *Loop) laneOf(c *Conn) *lane {
	for int(c.slot) >= len(l.lanes) {
		l.lanes = append(l.lanes, closedLane)
	}
	return &l.lanes[c.slot]
}

// clearLane lets output go straight to the socket of c again, if nothing is in between.
func (l *Loop) clearLane(c *Conn) {
	if c.state == stateOpen && c.edge == nil {
		l.laneOf(c).fd = int32(c.fd)
	}
}

// addFrame makes frame known to the current turn and returns its index.
func (l *Loop) addFrame(frame []byte, class Class) uint32 {
	if l.overfull() {
		l.relieve()
	}
	n := len(l.frames)
	joined := false
	if n > 0 && len(frame) > 0 {
		prev := l.frames[n-1].bytes
		end := len(prev)
		joined = end < cap(prev) && &prev[:end+1][end] == &frame[0]
	}
	l.frames = append(l.frames, outFrame{frame, class, joined})
	l.frameBytes += len(frame)
	return uint32(n)
}

// deliver appends the frame with index fi to what slot gets at the end of the turn. A run that it
// continues only grows: the messages of a turn to the same subscribers cost them one node each.
func (l *Loop) deliver(slot, fi uint32, joined bool) {
	lane := &l.lanes[slot]
	tail := lane.tail
	if tail == tailClosed {
		return
	}
	if tail != 0 {
		if last := &l.nodes[tail-1]; joined && last.end == fi {
			last.end++
			return
		}
	}
	l.nodes = append(l.nodes, node{frame: fi, end: fi + 1})
	n := uint32(len(l.nodes)) // index + 1, so that 0 means none
	lane.tail = n
	if tail == 0 {
		l.dirty = append(l.dirty, dirtyConn{slot, n})
	} else {
		l.nodes[tail-1].next = n
	}
}

// enqueue queues bytes for c in whatever state it is.
func (l *Loop) enqueue(c *Conn, b []byte, class Class) {
	fi := l.addFrame(b, class)
	l.deliver(c.slot, fi, l.frames[fi].joined)
}

// Send queues a complete frame for c. The frame must not change afterwards, unless it is in memory of
// Room, nor be appended to. A connection that is not open swallows it.
func (l *Loop) Send(c *Conn, frame []byte, class Class) {
	if c.state == stateOpen {
		l.enqueue(c, frame, class)
	} else if c.state == stateVirtual {
		l.receiver.Receive(c, bytes.Clone(frame))
	}
}

// SendAll queues one frame for the connections in slots, except one (NoSlot: none), and returns how many
// that are. Hot path: 0 allocs, see BenchmarkSendAll.
func (l *Loop) SendAll(slots []uint32, except uint32, frame []byte, class Class) (sent int) {
	fi := l.addFrame(frame, class)
	joined := l.frames[fi].joined
	sent = len(slots)
	for _, slot := range slots {
		if slot == except {
			sent--
			continue
		}
		l.deliver(slot, fi, joined)
	}
	return sent
}

// NoSlot is no connection's slot.
const NoSlot = ^uint32(0)

// overfull reports whether so much is collected that the turn must be flushed early.
func (l *Loop) overfull() bool {
	return len(l.nodes) >= nodesMax || len(l.frames) >= framesMax || l.frameBytes >= frameBytesMax
}

// relieve writes in the middle of a turn what it has collected so far. Closing connections are only
// marked by that, so it may happen wherever something is sent.
func (l *Loop) relieve() {
	l.postOutboxes() // first, as in settle
	l.flushDirty()
}

// flushDirty writes what the turn has collected, at most one write per connection for anything that
// fits the cork. A failing write runs OnClose synchronously, which only marks the connection.
func (l *Loop) flushDirty() {
	l.flushing = true
	var straight written
	for i := 0; i < len(l.dirty); i++ {
		if d := l.dirty[i]; !l.flushStraight(d, &straight) {
			l.flush(d)
		}
	}
	l.stats.writes.Add(straight.writes)
	l.stats.bytesOut.Add(straight.bytes)
	l.flushing = false
	l.dirty = l.dirty[:0]
	l.nodes = l.nodes[:0]
	clear(l.frames) // frames are collected once nobody waits for them
	l.frames = l.frames[:0]
	l.frameBytes = 0
	if cap(l.nodes) > nodesMax { // one publish to a million connections is not kept for ever
		l.nodes, l.dirty = nil, nil
	}
}

// written counts writes and their bytes.
type written struct{ writes, bytes uint64 }

// flushStraight writes what one connection gets if that is one piece and nothing lies between it and the
// socket: nearly always. Else it reports false and has done nothing.
func (l *Loop) flushStraight(d dirtyConn, sum *written) bool {
	lane := &l.lanes[d.slot]
	if lane.fd < 0 || lane.tail != d.first {
		return false
	}
	run := l.nodes[d.first-1]
	b, next := l.piece(run.frame, run.end)
	if next != run.end || len(b) > corkBytes {
		return false
	}
	lane.tail = 0
	if invariant.Enabled {
		c := l.conns.at(d.slot)
		invariant.Assert(int(lane.fd) == c.fd && c.state == stateOpen && c.out == nil && c.edge == nil && c.gc.OutboundBuffered() == 0,
			"engine: %s is written to past what lies in between (I3)", c.ID())
	}
	sum.writes++
	sum.bytes += uint64(len(b))
	if n := send(int(lane.fd), b); n < len(b) {
		l.putRest(l.conns.at(d.slot), b[n:])
	}
	return true
}

// flush writes or backlogs what one connection gets.
func (l *Loop) flush(d dirtyConn) {
	c := l.conns.at(d.slot)
	if lane := &l.lanes[d.slot]; lane.tail != tailClosed {
		lane.tail = 0
	}
	if c.state == stateClosed || c.state == stateFree {
		return
	}
	cork := l.cork[:0]
	for n := d.first; n != 0; n = l.nodes[n-1].next {
		nd := l.nodes[n-1]
		if cork = l.flushRun(c, cork, nd.frame, nd.end, nd.next == 0); c.state == stateClosed {
			return
		}
	}
	if len(cork) > 0 {
		l.write(c, cork)
	}
	if c.state == stateClosing {
		l.finish(c)
	}
}

// flushRun writes frames[i:end], which are neighbours in memory and so one piece already, or gathers
// them in the cork with what comes before and behind. It returns the cork.
func (l *Loop) flushRun(c *Conn, cork []byte, i, end uint32, last bool) []byte {
	for i < end && c.state != stateClosed {
		f := &l.frames[i]
		piece, next := l.piece(i, end)
		if c.out != nil {
			if l.opts.SlowPolicy != SlowClose { // a dropping policy judges every frame
				piece, next = f.bytes, i+1
			}
			l.keep(c, piece, int(next-i), f.class)
			i = next
			continue
		}
		alone := len(piece) >= corkFrameMax || len(cork) == 0 && last && next == end
		switch {
		case len(cork) > 0 && (alone || len(cork)+len(piece) > corkBytes):
			l.write(c, cork)
			cork = cork[:0]
			continue // the piece is looked at again: c may be blocked now
		case alone:
			l.writeOrKeep(c, piece, f.class)
		default:
			cork = append(cork, piece...)
		}
		i = next
	}
	return cork
}

// piece returns frames i to next-1, all of one class, as one slice of at most corkBytes, or a single
// frame.
func (l *Loop) piece(i, end uint32) (b []byte, next uint32) {
	b = l.frames[i].bytes
	size := len(b)
	for next = i + 1; next < end; next++ {
		n := len(l.frames[next].bytes)
		if size+n > corkBytes || l.frames[next].class != l.frames[i].class {
			break
		}
		size += n
	}
	return b[:size], next
}

// writeOrKeep writes frame in pieces that gnet may hold, or keeps what the peer does not take.
func (l *Loop) writeOrKeep(c *Conn, frame []byte, class Class) {
	if c.out != nil {
		l.keep(c, frame, 1, class)
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
			l.arena.held = true
			l.enforce(c)
		}
		return
	}
}

// write gives b, at most corkBytes, to the socket, encrypted if need be. It reports whether more may
// follow: not if the connection is gone, nor if gnet had to keep a part, after which the connection is
// blocked.
func (l *Loop) write(c *Conn, b []byte) bool {
	if invariant.Enabled {
		invariant.Assert(c.gc.OutboundBuffered() == 0, "engine: write to %s with %d bytes outstanding (I3)", c.ID(), c.gc.OutboundBuffered())
		invariant.Assert(len(b) <= corkBytes, "engine: a write of %d bytes (I4)", len(b))
	}
	if c.edge != nil && c.edge.tls != nil {
		if b = l.seal(c, b); b == nil {
			return false
		}
	}
	return l.put(c, b)
}

// put is write for bytes that are as the peer is to get them.
func (l *Loop) put(c *Conn, b []byte) bool {
	l.stats.bytesOut.Add(uint64(len(b)))
	l.stats.writes.Add(1)
	n := send(c.fd, b)
	return n == len(b) || l.putRest(c, b[n:])
}

// putRest leaves to gnet what the socket of c has not taken: it keeps that and waits until the socket is
// writable, or closes it. It reports whether more may follow.
func (l *Loop) putRest(c *Conn, b []byte) bool {
	_, _ = c.gc.Write(b)
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
// told at the end of the turn; the socket, if there is one, goes when the peer answers or after CloseTimeout.
func (l *Loop) Close(c *Conn, code ws.CloseCode, reason string) {
	if c.state != stateOpen {
		l.CloseVirtual(c)
		return
	}
	c.because(endingOf(code))
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
	*l.laneOf(c) = closedLane
	c.reader.Release()
	c.since = 0
	c.head = nil
	if c.timer != 0 { // until finish, SlowTimeout decides how long it may take
		l.wheel.Cancel(c.timer)
		c.timer = 0
	}
	l.dead = append(l.dead, c.slot)
	l.kick()
}

// finish ends the sending direction of a closing connection once everything is written.
func (l *Loop) finish(c *Conn) {
	if c.out != nil || c.finSent {
		return
	}
	if c.edge != nil && !l.sayBye(c) {
		return
	}
	if c.hangup {
		l.closeSocket(c)
		return
	}
	c.finSent = true
	l.rearm(c, l.opts.CloseTimeout)
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
