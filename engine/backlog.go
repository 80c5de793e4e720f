package engine

import "time"

const (
	chunkBytes    = 16 << 10 // small frames of a backlog are copied into chunks of this size
	shareBytesMin = 1 << 10  // a larger frame is kept by reference instead
	segmentCost   = 64       // bookkeeping bytes charged per segment
)

// segment is a run of whole frames of one class, or the unsent end of a frame, that a slow peer has
// yet to take.
type segment struct {
	data   []byte
	frames int
	class  Class
	owned  bool // data is a chunk of ours with room at its end, not a shared frame
}

// backlog is what a blocked connection has not been given yet. It exists only while gnet holds
// bytes of that connection, or did at the last turn.
type backlog struct {
	segments []segment
	off      int           // bytes of segments[0] already written
	bytes    int           // unwritten bytes and bookkeeping, of which
	replies  int           // are answers to the peer's own requests
	held     int           // what gnet held at the last look
	progress time.Duration // loop time of the last byte taken
	index    int           // position in Loop.blocked
}

// charge adds n bytes of the given class to the accounts.
func (b *backlog) charge(class Class, n int) {
	b.bytes += n
	if class == Reply {
		b.replies += n
	}
}

// push appends a whole frame. A small one is copied, so that it does not keep a slab of frames alive.
func (b *backlog) push(frame []byte, class Class) {
	if len(frame) >= shareBytesMin {
		b.segments = append(b.segments, segment{data: frame, frames: 1, class: class})
		b.charge(class, len(frame)+segmentCost)
		return
	}
	if n := len(b.segments); n > 0 {
		last := &b.segments[n-1]
		if last.owned && last.class == class && len(last.data)+len(frame) <= cap(last.data) {
			last.data = append(last.data, frame...)
			last.frames++
			b.charge(class, len(frame))
			return
		}
	}
	chunk := append(make([]byte, 0, chunkBytes), frame...)
	b.segments = append(b.segments, segment{data: chunk, frames: 1, class: class, owned: true})
	b.charge(class, len(frame)+segmentCost)
}

// pushRest appends the rest of a frame whose beginning is already written. It is never dropped.
func (b *backlog) pushRest(rest []byte, class Class) {
	if class == Droppable {
		class = Broadcast
	}
	b.segments = append(b.segments, segment{data: rest, frames: 1, class: class})
	b.charge(class, len(rest)+segmentCost)
}

// front returns up to limit unwritten bytes and moves behind them.
func (b *backlog) front(limit int) []byte {
	s := &b.segments[0]
	piece := s.data[b.off:]
	piece = piece[:min(len(piece), limit)]
	b.off += len(piece)
	b.charge(s.class, -len(piece))
	if b.off == len(s.data) {
		b.charge(s.class, -segmentCost)
		*s = segment{}
		b.segments = b.segments[1:]
		b.off = 0
	}
	return piece
}

// dropOldest discards droppable segments from the front, sparing one that is partly written, until
// at most limit bytes are left. It returns what it discarded.
func (b *backlog) dropOldest(limit int) (frames, size int) {
	kept := b.segments[:0]
	for i, s := range b.segments {
		if b.bytes > limit && s.class == Droppable && (i > 0 || b.off == 0) {
			frames += s.frames
			size += len(s.data)
			b.charge(s.class, -len(s.data)-segmentCost)
			continue
		}
		kept = append(kept, s)
	}
	clear(b.segments[len(kept):])
	b.segments = kept
	return frames, size
}

// block notes that c's peer does not take what it is given: c gets nothing written until it does.
func (l *Loop) block(c *Conn) {
	if c.out == nil {
		c.out = &backlog{index: len(l.blocked)}
		l.blocked = append(l.blocked, c.slot)
		l.blockedCount.Store(int32(len(l.blocked)))
		l.stats.blockedEver.Add(1)
	}
	c.out.held, c.out.progress = c.gc.OutboundBuffered(), l.now
}

func (l *Loop) unblock(c *Conn) {
	i, end := c.out.index, len(l.blocked)-1
	moved := l.blocked[end]
	l.blocked[i] = moved
	l.conns.at(moved).out.index = i
	l.blocked = l.blocked[:end]
	l.blockedCount.Store(int32(end))
	c.out = nil
}

// keep appends a frame to the backlog of c and applies the policy when that is full. c may be
// closed afterwards.
func (l *Loop) keep(c *Conn, frame []byte, class Class) {
	b, limit := c.out, l.opts.OutboundBytesMax
	if class == Droppable && l.opts.SlowPolicy == SlowDropNew && b.bytes-b.replies+len(frame) > limit {
		l.stats.droppedFrames.Add(1)
		l.stats.droppedBytes.Add(uint64(len(frame)))
		return
	}
	b.push(frame, class)
	l.enforce(c)
}

// enforce applies the policy to c if its backlog is beyond its limit. One frame alone is let through
// however large it is: nobody can take less than that.
func (l *Loop) enforce(c *Conn) {
	b, limit := c.out, l.opts.OutboundBytesMax
	full := func() bool { return b.bytes-b.replies > limit || b.bytes > l.opts.ReplyBytesMax }
	if !full() || len(b.segments) == 1 && b.segments[0].frames == 1 {
		return
	}
	if l.opts.SlowPolicy == SlowDropOldest {
		frames, size := b.dropOldest(limit + b.replies)
		l.stats.droppedFrames.Add(uint64(frames))
		l.stats.droppedBytes.Add(uint64(size))
	}
	if full() {
		l.cutOff(c, "its backlog is full")
	}
}

// cutOff ends a slow consumer. A close frame could not reach it, so the socket is reset, which also
// frees what the kernel holds for it. Safe while deliveries are being written.
func (l *Loop) cutOff(c *Conn, why string) {
	l.stats.slowClosed.Add(1)
	l.engine.slowLog.warn("SLOW_CONSUMER", "disconnected a slow consumer: "+why,
		"remote", c.RemoteAddr(), "conn", c.ID().String(), "backlogBytes", c.out.bytes)
	l.Abort(c)
}

// pumpBlocked gives blocked connections what they can take, and cuts off those that took nothing
// for SlowTimeout.
func (l *Loop) pumpBlocked() {
	for i := 0; i < len(l.blocked); {
		before := len(l.blocked)
		l.pump(l.conns.at(l.blocked[i]))
		if len(l.blocked) == before { // else another connection took this one's place in the list
			i++
		}
	}
}

func (l *Loop) pump(c *Conn) {
	b := c.out
	if held := c.gc.OutboundBuffered(); held > 0 {
		if held < b.held {
			b.held, b.progress = held, l.now
		}
		if l.now-b.progress > l.opts.SlowTimeout {
			l.cutOff(c, "it took nothing for "+l.opts.SlowTimeout.String())
		}
		return
	}
	for len(b.segments) > 0 {
		if !l.write(c, b.front(corkBytes)) {
			return
		}
	}
	l.unblock(c)
	if c.state == stateClosing {
		l.finish(c)
	}
}
