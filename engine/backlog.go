package engine

import (
	"sync/atomic"
	"time"
)

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

// private reports whether the segment's memory is this connection's alone: an answer to its request, or
// a copy. A broadcast kept by reference is shared with everybody else who is slow.
func (s *segment) private() bool { return s.owned || s.class == Reply }

// backlog is what a blocked connection has not been given yet. It exists only while gnet holds
// bytes of that connection, or did at the last turn.
type backlog struct {
	segments []segment
	off      int           // bytes of segments[0] already written
	bytes    int           // unwritten bytes and bookkeeping, of which
	replies  int           // are answers to the peer's own requests, and
	private  int           // are in memory of this connection alone, as far as
	counted  int           // the engine's budget knows of them
	held     int           // what gnet held at the last look
	progress time.Duration // loop time of the last byte taken
	index    int           // position in Loop.blocked
}

// charge adds n bytes of segment s to the accounts.
func (b *backlog) charge(s *segment, n int) {
	b.bytes += n
	if s.class == Reply {
		b.replies += n
	}
	if s.private() {
		b.private += n
	}
}

func (b *backlog) add(s segment) {
	b.segments = append(b.segments, s)
	b.charge(&s, len(s.data)+segmentCost)
}

// push appends whole frames that lie behind one another, and reports whether it refers to them from now
// on. Small ones are copied, so that they do not keep much more memory than their own alive.
func (b *backlog) push(piece []byte, frames int, class Class) (held bool) {
	if len(piece) >= shareBytesMin {
		b.add(segment{data: piece, frames: frames, class: class})
		return true
	}
	if n := len(b.segments); n > 0 {
		last := &b.segments[n-1]
		if last.owned && last.class == class && len(last.data)+len(piece) <= cap(last.data) {
			last.data = append(last.data, piece...)
			last.frames += frames
			b.charge(last, len(piece))
			return false
		}
	}
	chunk := append(make([]byte, 0, chunkBytes), piece...)
	b.add(segment{data: chunk, frames: frames, class: class, owned: true})
	return false
}

// pushRest appends the rest of a frame whose beginning is already written. It is never dropped.
func (b *backlog) pushRest(rest []byte, class Class) {
	if class == Droppable {
		class = Broadcast
	}
	b.add(segment{data: rest, frames: 1, class: class})
}

// front returns up to limit unwritten bytes and moves behind them.
func (b *backlog) front(limit int) []byte {
	s := &b.segments[0]
	piece := s.data[b.off:]
	piece = piece[:min(len(piece), limit)]
	b.off += len(piece)
	b.charge(s, -len(piece))
	if b.off == len(s.data) {
		b.charge(s, -segmentCost)
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
			b.charge(&s, -len(s.data)-segmentCost)
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
	l.laneOf(c).fd = -1
}

func (l *Loop) unblock(c *Conn) {
	i, end := c.out.index, len(l.blocked)-1
	moved := l.blocked[end]
	l.blocked[i] = moved
	l.conns.at(moved).out.index = i
	l.blocked = l.blocked[:end]
	l.blockedCount.Store(int32(end))
	l.engine.owed.add(-c.out.counted)
	c.out = nil
	l.clearLane(c)
}

// keep appends frames that lie behind one another to the backlog of c and applies the policy when that
// is full. c may be closed afterwards.
func (l *Loop) keep(c *Conn, piece []byte, frames int, class Class) {
	b := c.out
	limit, _ := l.room(c)
	if class == Droppable && l.opts.SlowPolicy == SlowDropNew && b.bytes-b.replies+len(piece) > limit {
		l.stats.droppedFrames.Add(uint64(frames))
		l.stats.droppedBytes.Add(uint64(len(piece)))
		return
	}
	if b.push(piece, frames, class) {
		l.arena.held = true
	}
	l.enforce(c)
}

// room returns the bytes that the backlog of c may have: without the answers to its own requests, and in
// all. Whoever is not logged in is owed little.
func (l *Loop) room(c *Conn) (broadcasts, all int) {
	if !c.trusted {
		return min(l.opts.OutboundBytesMax, strangerBytesMax), min(l.opts.ReplyBytesMax, strangerBytesMax)
	}
	return l.opts.OutboundBytesMax, l.opts.ReplyBytesMax
}

// enforce applies the policy to c if its backlog is beyond its limit. One frame alone is let through
// however large it is: nobody can take less than that.
func (l *Loop) enforce(c *Conn) {
	b := c.out
	limit, all := l.room(c)
	l.account(b)
	full := func() bool { return b.bytes-b.replies > limit || b.bytes > all }
	switch {
	case len(b.segments) == 1 && b.segments[0].frames == 1:
		return
	case l.engine.owed.over() && b.private > strangerBytesMax:
		l.cutOff(c, "all backlogs together take too much memory")
		return
	case full() && l.opts.SlowPolicy == SlowDropOldest:
		frames, size := b.dropOldest(limit + b.replies)
		l.stats.droppedFrames.Add(uint64(frames))
		l.stats.droppedBytes.Add(uint64(size))
		l.account(b)
	}
	if full() {
		l.cutOff(c, "its backlog is full")
	}
}

// account tells the engine's budget what has changed in b.
func (l *Loop) account(b *backlog) {
	if b.private != b.counted {
		l.engine.owed.add(b.private - b.counted)
		b.counted = b.private
	}
}

// budget bounds the memory that the backlogs of all connections take. Safe for concurrent use.
type budget struct {
	max  int64
	used atomic.Int64
}

func (b *budget) add(n int)  { b.used.Add(int64(n)) }
func (b *budget) over() bool { return b.used.Load() > b.max }

// cutOff ends a slow consumer. A close frame could not reach it, so the socket is reset, which also
// frees what the kernel holds for it. Safe while deliveries are being written.
func (l *Loop) cutOff(c *Conn, why string) {
	l.stats.slowClosed.Add(1)
	l.engine.slowLog.warn("SLOW_CONSUMER", "disconnected a slow consumer: "+why,
		"remote", c.RemoteAddr(), "conn", c.ID().String(), "backlogBytes", c.out.bytes)
	c.because(EndedSlow)
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
		piece := b.front(corkBytes)
		l.account(b) // before the write, which may end c and with it the account
		if !l.write(c, piece) {
			return
		}
	}
	l.unblock(c)
	if c.state == stateClosing {
		l.finish(c)
	}
}
