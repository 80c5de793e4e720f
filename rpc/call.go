package rpc

import (
	"slices"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

const (
	poolMax      = 1024    // ended calls and idle conns kept for reuse, each
	pooledBufMax = 4 << 10 // bytes a pooled call may hold
	pooledSetMax = 64      // providers a pooled call's set may have held
)

// state is where a call stands. The last two are ended calls whose dispatch id is reserved.
type state uint8

const (
	dispatched state = iota // provider has the REQUEST
	accepted                // provider has sent ACCEPT
	timedOut                // requestor was told; a late answer is refused
	orphaned                // requestor is gone; a late answer is swallowed
)

// call is one REQUEST from admission to its end, and then possibly the reservation of its dispatch
// id. Everything a re-route needs is copied into buf.
type call struct {
	req       Request // views into buf, Name into name.text; zero once ended
	buf       []byte
	name      *name
	requestor *conn // nil once ended
	tried     map[protocol.ConnID]struct{}

	key      uint64 // serial<<32 | slot
	ackTimer TimerID
	endTimer TimerID // timerEnd while open, timerRetired afterwards
	state    state

	// The current dispatch; id and hash are set by claimID.
	provider *conn
	hash     uint64
	chain    *call // next in h.index with this hash
	idLen    uint8
	id       [idBytesMax]byte

	links [2]link
}

func (c *call) open() bool { return c.state <= accepted }

func (c *call) dispatchID() []byte { return c.id[:c.idLen] }

func (r *Request) size() int {
	return len(r.CorrelationID) + len(r.Data) + len(r.RequestorName) + len(r.RequestorData)
}

// admit creates the call of r, dispatched to nobody yet.
func (h *Home) admit(n *name, r *Request) *call {
	c := h.newCall()
	c.buf = slices.Grow(c.buf[:0], r.size())
	c.req = Request{
		From:          r.From,
		Name:          n.text,
		CorrelationID: c.keep(r.CorrelationID),
		Data:          c.keep(r.Data),
		RequestorName: c.keep(r.RequestorName),
		RequestorData: c.keep(r.RequestorData),
	}
	h.kept += len(c.buf)
	c.name = n
	n.calls++
	c.requestor = h.connOf(r.From)
	c.requestor.requested.push(c)
	return c
}

// keep copies b to the end of buf, which is large enough, and returns the copy; nil stays nil.
func (c *call) keep(b []byte) []byte {
	if b == nil {
		return nil
	}
	at := len(c.buf)
	c.buf = append(c.buf, b...)
	return c.buf[at:len(c.buf):len(c.buf)]
}

// dispatch offers c to a provider and starts its timers.
func (h *Home) dispatch(c *call, to *conn) {
	c.state = dispatched
	c.provider = to
	to.dispatched.push(c)
	h.claimID(c)
	h.renewKey(c)
	c.ackTimer = h.out.StartTimer(h.opts.AckTimeout, timerAck, c.key)
	c.endTimer = h.out.StartTimer(h.opts.ResponseTimeout, timerEnd, c.key)
	m := h.message(protocol.RPCRequest, c.req.Name, c.dispatchID(), c.req.Data)
	m.RequestorName = present(c.req.RequestorName)
	m.RequestorData = present(c.req.RequestorData)
	h.out.Send(to.id, m)
}

// undispatch takes c away from its provider, whose id for it is free again.
func (h *Home) undispatch(c *call) {
	h.stop(&c.ackTimer)
	h.stop(&c.endTimer)
	h.releaseID(c)
	c.provider.dispatched.remove(c)
	h.dropIfIdle(c.provider)
	c.provider = nil
}

// reroute offers c to a provider that has not been asked, or ends it with NO_RPC_PROVIDER. A call whose
// requestor is gone ends here.
func (h *Home) reroute(c *call) {
	if c.requestor.closing {
		h.free(c)
		return
	}
	if c.tried == nil {
		c.tried = map[protocol.ConnID]struct{}{}
	}
	c.tried[c.provider.id] = struct{}{}
	next := h.untried(c)
	if next == nil {
		h.finish(c, protocol.RPCNoRPCProvider, nil)
		return
	}
	h.undispatch(c)
	h.dispatch(c, next)
}

// anyProvider returns a random provider of n, or nil. Provisions of those who are gone end when they
// are met, which the Removal is spared; n may be gone itself afterwards.
func (h *Home) anyProvider(n *name) *conn {
	for n != nil && len(n.providers) > 0 {
		p := n.providers[h.random(len(n.providers))]
		if !p.conn.closing {
			return p.conn
		}
		h.unprovide(p)
	}
	return nil
}

// untried returns a provider of c's name that has not been asked, searching from a random one, or
// nil. Every step but the last passes a tried one or ends a provision, so it takes at most len(tried)+1
// steps and what a Removal is spared.
func (h *Home) untried(c *call) *conn {
	n := c.name
	if len(n.providers) == 0 || len(c.tried) >= h.opts.ProvidersPerCallMax {
		return nil
	}
	i := h.random(len(n.providers))
	for passed := 0; passed < len(n.providers); {
		if i >= len(n.providers) {
			i = 0
		}
		switch p := n.providers[i]; {
		case p.conn.closing:
			h.unprovide(p) // another one takes its place
		case !c.asked(p.conn.id):
			return p.conn
		default:
			i++
			passed++
		}
	}
	return nil
}

func (c *call) asked(id protocol.ConnID) bool {
	_, ok := c.tried[id]
	return ok
}

// finish ends c with its terminal message; the provider knows or is gone.
func (h *Home) finish(c *call, action protocol.Action, data []byte) {
	h.tellRequestor(c, action, data)
	h.free(c)
}

// expire ends c with its terminal message although its provider may still answer.
func (h *Home) expire(c *call, action protocol.Action) {
	invariant.Assert(c.open(), "rpc: a timer of an open call outlived it")
	h.tellRequestor(c, action, nil)
	h.retire(c, timedOut)
}

// retire ends c, but reserves its dispatch id against the provider's late answer.
func (h *Home) retire(c *call, s state) {
	h.stop(&c.ackTimer)
	h.stop(&c.endTimer)
	h.detach(c)
	c.buf, c.tried = nil, nil // a reservation may live for a minute
	c.state = s
	h.retired.push(c)
	h.renewKey(c)
	c.endTimer = h.out.StartTimer(RetiredFor, timerRetired, c.key)
	if h.retired.n > h.opts.RetiredMax {
		h.free(h.retired.head)
	}
}

// detach takes an open call away from its requestor and name, and gives up the request.
func (h *Home) detach(c *call) {
	h.kept -= len(c.buf)
	if cap(c.buf) > pooledBufMax {
		c.buf = nil
	}
	c.req = Request{}
	c.requestor.requested.remove(c)
	h.ended(c.requestor.id)
	h.dropIfIdle(c.requestor)
	c.requestor = nil
	c.name.calls--
	h.dropIfUnused(c.name)
	c.name = nil
	if len(c.tried) > pooledSetMax {
		c.tried = nil
	}
	clear(c.tried)
}

// free removes every trace of c, open or retired.
func (h *Home) free(c *call) {
	if c.open() {
		h.detach(c)
	} else {
		h.retired.remove(c)
	}
	h.undispatch(c)
	slot := uint32(c.key)
	h.calls[slot] = nil
	h.freeSlots = append(h.freeSlots, slot)
	if len(h.pool) < poolMax {
		h.pool = append(h.pool, c)
	}
}

// newCall returns a call with a slot.
func (h *Home) newCall() *call {
	var c *call
	if n := len(h.pool); n > 0 {
		c = h.pool[n-1]
		h.pool = h.pool[:n-1]
	} else {
		c = &call{}
	}
	slot := uint32(len(h.calls))
	if n := len(h.freeSlots); n > 0 {
		slot = h.freeSlots[n-1]
		h.freeSlots = h.freeSlots[:n-1]
		h.calls[slot] = c
	} else {
		h.calls = append(h.calls, c)
	}
	c.key = uint64(slot)
	return c
}

// renewKey makes the timers that c had so far miss it, should one fire in spite of StopTimer.
func (h *Home) renewKey(c *call) {
	h.serial++
	c.key = uint64(h.serial)<<32 | uint64(uint32(c.key))
}

// byKey returns the call that a timer was started for, or nil if it is gone.
func (h *Home) byKey(key uint64) *call {
	slot := int(uint32(key))
	if slot >= len(h.calls) || h.calls[slot] == nil || h.calls[slot].key != key {
		return nil
	}
	return h.calls[slot]
}

func (h *Home) stop(t *TimerID) {
	if *t != 0 {
		h.out.StopTimer(*t)
		*t = 0
	}
}
