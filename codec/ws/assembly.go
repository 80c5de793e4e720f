package ws

import (
	"unsafe"

	"github.com/valyala/bytebufferpool"

	"deepstream-fast/internal/invariant"
)

// dataBytesMin is the first size of the data buffer: small enough to be given to anybody.
const dataBytesMin = 256

const assemblyBytes = int(unsafe.Sizeof(assembly{}))

// assembly collects one frame or one fragmented message that arrives in several reads. A control
// frame may arrive in pieces in the middle of it, hence the second, small buffer.
type assembly struct {
	budget   *Budget
	reserved int // bytes of budget: this struct and cap(data)

	// The frame under way. Valid once headLen is back to 0 and inFrame is set.
	frame   header // its key is rotated along with the payload
	left    uint64 // payload bytes still to come
	inFrame bool

	// The message under way, of kind None between messages.
	kind      Kind
	bulk      bool                       // Bulk has accepted it
	handedOut bool                       // nothing is under way; data or control is with the caller
	judgeAt   int                        // if > 0: ask Bulk as soon as data has so many bytes
	data      []byte                     // its unmasked payload so far
	pooled    *bytebufferpool.ByteBuffer // where data goes back to, if it came from a pool

	headLen    uint8
	controlLen uint8
	head       [HeaderBytesMax]byte // a partial frame header
	control    [ControlBytesMax]byte
}

// newAssembly returns nil if the budget has no room.
func newAssembly(budget *Budget) *assembly {
	if !budget.reserve(assemblyBytes) {
		return nil
	}
	return &assembly{budget: budget, reserved: assemblyBytes}
}

func (a *assembly) free() {
	a.dropData()
	invariant.Poison(a.control[:])
	a.budget.release(a.reserved)
	a.reserved = 0
}

// advance consumes b up to the end of the current frame, or all of it.
func (a *assembly) advance(b []byte, lim *Limits) (int, error) {
	used := 0
	if !a.inFrame {
		n, err := a.readHead(b, lim)
		if err != nil || !a.inFrame {
			return n, err
		}
		used = n
	}
	b = b[used:]
	b = b[:min(uint64(len(b)), a.left)]
	if a.frame.op.IsControl() {
		a.storeControl(b)
		return used + len(b), nil
	}
	if a.judgeAt > 0 {
		n := min(len(b), max(0, a.judgeAt-len(a.data)))
		err := a.judge(b[:n], lim)
		used += n
		b = b[n:]
		if err != nil || a.judgeAt > 0 {
			return used, err
		}
	}
	return used + len(b), a.store(b, lim)
}

// frameDone reports whether a frame is under way and complete.
func (a *assembly) frameDone() bool { return a.inFrame && a.left == 0 }

// endFrame leaves a complete frame and returns the message it completes, if any.
func (a *assembly) endFrame() (Message, error) {
	a.inFrame = false
	if a.frame.op.IsControl() {
		a.handedOut = a.kind == None
		n := a.controlLen
		return finish(a.frame.op, a.control[:n:n])
	}
	if !a.frame.fin {
		return Message{}, nil
	}
	kind := a.kind
	a.kind, a.handedOut = None, true
	return finish(kind, a.data[:len(a.data):len(a.data)])
}

// readHead consumes header bytes and enters the frame when the header is complete.
func (a *assembly) readHead(b []byte, lim *Limits) (int, error) {
	have := int(a.headLen)
	n := copy(a.head[have:], b)
	h, size, err := parseHeader(a.head[:have+n])
	if err != nil {
		return n, err
	}
	if size == 0 {
		a.headLen += uint8(n)
		return n, nil
	}
	a.headLen = 0
	return size - have, a.enter(h, lim)
}

// enter begins the frame h, unless it does not fit to the message under way or to a limit.
func (a *assembly) enter(h header, lim *Limits) error {
	switch {
	case h.op.IsControl():
		a.controlLen = 0
	case h.op == Continuation && a.kind == None:
		return errNotStarted
	case h.op != Continuation && a.kind != None:
		return errNotFinished
	case h.op == lim.Refuse && h.op != None:
		return errKind
	default:
		if h.op != Continuation {
			a.kind = h.op
		}
		if err := a.admit(h.size, lim); err != nil {
			return err
		}
	}
	a.frame, a.left, a.inFrame = h, h.size, true
	return nil
}

// admit judges the size of the message with another frame of size bytes, before any of them.
func (a *assembly) admit(size uint64, lim *Limits) error {
	total := uint64(len(a.data)) + size // no overflow: parseHeader refused 1<<63 and more
	if total <= uint64(lim.MessageBytesMax) {
		return nil
	}
	if a.kind != Binary || lim.Bulk == nil || total > uint64(lim.BulkBytesMax) {
		return errTooBig
	}
	if !a.bulk {
		a.judgeAt = int(min(total, BulkPrefixBytes))
	}
	return nil
}

// judge stores the bytes that are missing to judgeAt and asks Bulk once they are all there.
func (a *assembly) judge(b []byte, lim *Limits) error {
	if err := a.store(b, lim); err != nil || len(a.data) < a.judgeAt {
		return err
	}
	if !lim.Bulk(a.data[:a.judgeAt:a.judgeAt]) {
		return errTooBig
	}
	a.judgeAt, a.bulk = 0, true
	return nil
}

// storeControl takes payload of a control frame, which parseHeader has bounded.
func (a *assembly) storeControl(b []byte) {
	p := a.control[a.controlLen:][:len(b)]
	a.controlLen += uint8(copy(p, b))
	a.unmaskNext(p)
}

// store takes payload of a data frame.
func (a *assembly) store(b []byte, lim *Limits) error {
	have := len(a.data)
	if need := have + len(b); need > cap(a.data) {
		if err := a.grow(need, lim); err != nil {
			return err
		}
	}
	a.data = append(a.data, b...)
	a.unmaskNext(a.data[have:])
	return nil
}

// unmaskNext unmasks p, the next bytes of the frame.
func (a *assembly) unmaskNext(p []byte) {
	unmask(p, a.frame.key)
	a.frame.key = rotate(a.frame.key, len(p))
	a.left -= uint64(len(p))
}

// grow moves data to a buffer for need bytes or more. It doubles, so that many small reads cost
// linear time, but neither past the end of the message, as far as that is known, nor past the step
// to pooled buffers, which would round up once more.
func (a *assembly) grow(need int, lim *Limits) error {
	end := uint64(max(lim.MessageBytesMax, lim.BulkBytesMax))
	if a.frame.fin {
		end = uint64(len(a.data)) + a.left
	}
	size := uint64(max(2*cap(a.data), dataBytesMin))
	if need <= pooledBytesMin {
		size = min(size, pooledBytesMin)
	}
	pool, capacity := poolOf(max(need, int(min(size, end))))
	if !a.budget.reserve(capacity) {
		return errBudget
	}
	var next []byte
	var home *bytebufferpool.ByteBuffer
	if pool == nil {
		next = make([]byte, 0, capacity)
	} else {
		home = pool.Get()
		if cap(home.B) != capacity {
			home.B = make([]byte, 0, capacity)
		}
		next = home.B
	}
	next = append(next[:0], a.data...)
	a.dropData()
	a.data, a.pooled = next, home
	a.reserved += capacity
	invariant.Assert(a.reserved == assemblyBytes+cap(next), "ws: reserved %d for a buffer of %d", a.reserved, cap(next))
	return nil
}

// dropData gives the data buffer and its share of the budget back.
func (a *assembly) dropData() {
	size := cap(a.data)
	invariant.Poison(a.data[:size])
	if a.pooled != nil {
		// At full length, for the pool learns the size of its buffers from what it gets back.
		a.pooled.B = a.data[:size]
		pool, _ := poolOf(size)
		pool.Put(a.pooled)
	}
	a.budget.release(size)
	a.reserved -= size
	a.data, a.pooled = nil, nil
}
