package engine

import "deepstream-fast/internal/invariant"

const (
	arenaBytesMin = 32 << 10
	arenaBytesMax = 256 << 10
	arenaFrameMax = arenaBytesMax / 4 // a larger frame is allocated alone
)

// arena is memory for the frames of a turn. They lie behind one another, so that a connection that gets
// many of them gets them in one piece, and the next turn overwrites them: nothing is allocated, nothing
// collected, and the bytes are still in the processor's cache.
//
// Memory that a backlog refers to is never overwritten. It is filled up and then left to the collector.
type arena struct {
	buf  []byte // len: carved so far
	held bool   // a backlog refers to a part of it
}

// room returns an empty slice for exactly n bytes.
func (a *arena) room(n int) []byte {
	if n > arenaFrameMax {
		return make([]byte, 0, n)
	}
	start := len(a.buf)
	if cap(a.buf)-start < n {
		a.replace(n)
		start = 0
	}
	a.buf = a.buf[:start+n]
	return a.buf[start:start]
}

// replace begins anew. A turn that does not fit gets twice the memory, but not while there are slow
// peers: what they are owed keeps all of it alive.
func (a *arena) replace(n int) {
	size := arenaBytesMin
	if !a.held {
		size = min(max(2*cap(a.buf), arenaBytesMin), arenaBytesMax)
	}
	for size < n {
		size *= 2
	}
	a.buf, a.held = make([]byte, 0, size), false
}

// recycle makes room for the next turn. All that was made before is written, or held by a backlog.
func (a *arena) recycle() {
	if a.held {
		return
	}
	if invariant.Enabled { // who still reads it is to notice
		for i := range a.buf {
			a.buf[i] = 0xDB
		}
	}
	a.buf = a.buf[:0]
}

// Room returns an empty slice to append a frame of exactly n bytes to. The frame may be given to Send and
// SendAll of this loop in the turn in which it is made, and is gone when that turn's output is written:
// for what goes to another loop, or is kept for any other reason, it is the wrong place. Its capacity
// reaches over the frames behind it, so nobody may append to it once it is complete.
// Hot path: 0 allocs, see TestArenaIsReused.
func (l *Loop) Room(n int) []byte { return l.arena.room(n) }
