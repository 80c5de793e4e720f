package rpc

import (
	"bytes"
	"hash/maphash"
	"time"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// TimerID names a pending timer of Out. 0 names none.
type TimerID uint64

// Kinds of timers, passed to Out.StartTimer and back to Fired. They are below TimerKinds.
const (
	timerAck     uint8 = iota // the provider has not accepted
	timerEnd                  // the call has not been answered
	timerRetired              // the dispatch id of an ended call is free again
	TimerKinds
)

// Out carries out what a Home decides. No method calls back into the Home.
type Out interface {
	// Send delivers m to a connection. It copies what it keeps: m and its slices die on return.
	Send(to protocol.ConnID, m *protocol.Message)
	// StartTimer arranges for Fired(kind, key) once, after the given time; the id is not 0.
	StartTimer(after time.Duration, kind uint8, key uint64) TimerID
	// StopTimer cancels a timer that has not fired. One that fires all the same is ignored.
	StopTimer(id TimerID)
	// Random returns a uniform number from 0 to n-1; n is positive.
	Random(n int) int
}

// Home holds the providers and the open calls of all names of one home loop. Its methods run on that
// loop's goroutine only; slices passed in are not kept.
type Home struct {
	// Set by NewHome, then constant.
	opts     Options
	out      Out
	seed     maphash.Seed
	hashMask uint64 // all ones; 0 in tests that want every dispatch in one chain

	// Owned by the home loop.
	names      map[string]*name
	conns      map[protocol.ConnID]*conn
	provisions map[provisionKey]*provision

	namesPeak, provisionsPeak int // the most there were at a time, since shrink

	calls     []*call  // by slot; nil where free
	freeSlots []uint32 // slots of calls that are nil
	pool      []*call  // ended calls for reuse, at most poolMax
	connPool  []*conn  // likewise
	index     map[uint64]*call
	retired   list // calls whose dispatch id is reserved, oldest first

	kept      int    // bytes of all open requests
	serial    uint32 // of the last timer key
	generated uint64 // dispatch ids made so far
	refused   uint64
	msg       protocol.Message // scratch of message
}

// Request is one REQUEST that permission and JSON checks have let pass. RequestorName and
// RequestorData are the server's own, nil unless configured; what the requestor sent under those
// names is never passed here (Q5).
type Request struct {
	From          protocol.ConnID
	Name          []byte
	CorrelationID []byte
	Data          []byte // nil if absent
	RequestorName []byte
	RequestorData []byte
}

// Stats are the current sizes of a Home, for monitoring and leak tests.
type Stats struct {
	Names, Providers, Conns int
	Calls                   int // open
	Retired                 int // reserved dispatch ids of ended calls
	Bytes                   int // kept for open calls
	Refused                 uint64
}

// NewHome returns an empty Home. opts must be valid.
func NewHome(opts Options, out Out) *Home {
	return &Home{
		opts:       opts.withDefaults(),
		out:        out,
		seed:       maphash.MakeSeed(), // spreads the index, decides nothing: replays do not depend on it
		hashMask:   ^uint64(0),
		names:      map[string]*name{},
		conns:      map[protocol.ConnID]*conn{},
		provisions: map[provisionKey]*provision{},
		index:      map[uint64]*call{},
		retired:    list{by: byOrigin},
	}
}

// Stats returns the current sizes. O(1).
func (h *Home) Stats() Stats {
	return Stats{
		Names:     len(h.names),
		Providers: len(h.provisions),
		Conns:     len(h.conns),
		Calls:     h.open(),
		Retired:   h.retired.n,
		Bytes:     h.kept,
		Refused:   h.refused,
	}
}

// Len returns the number of things the Home holds: 0 once every connection has closed.
func (h *Home) Len() int {
	return len(h.names) + len(h.provisions) + len(h.conns) + len(h.calls) - len(h.freeSlots) + len(h.index) + h.kept
}

// Provide makes id a provider of name. Providing twice is once.
func (h *Home) Provide(id protocol.ConnID, name []byte) {
	h.provide(h.connOf(id), h.nameOf(name))
}

// Unprovide withdraws id as a provider of name, if it is one. Calls it is working on continue.
func (h *Home) Unprovide(id protocol.ConnID, name []byte) {
	if p := h.provisions[provisionKey{h.conns[id], h.names[string(name)]}]; p != nil {
		h.unprovide(p)
	}
}

// Request routes a call to a random provider, the requestor itself included, and answers
// NO_RPC_PROVIDER if there is none. Without a correlation id a call could not be answered, so it is
// not routed. Hot path: 0 allocs, see BenchmarkCall.
func (h *Home) Request(r Request) {
	if len(r.CorrelationID) == 0 {
		h.refuse(r.From, protocol.RPCRequest, r.Name, nil)
		h.ended(r.From)
		return
	}
	n := h.names[string(r.Name)]
	to := h.anyProvider(n)
	if to == nil {
		h.tell(r.From, protocol.RPCNoRPCProvider, r.Name, r.CorrelationID, nil)
		h.ended(r.From)
		return
	}
	if !h.hasRoom(&r) {
		h.refused++
		h.tell(r.From, protocol.RPCNoRPCProvider, r.Name, r.CorrelationID, nil)
		h.ended(r.From)
		return
	}
	h.dispatch(h.admit(n, &r), to)
}

// ended says that a request of this connection is not pending any more.
func (h *Home) ended(requestor protocol.ConnID) {
	if h.opts.Ended != nil {
		h.opts.Ended(requestor)
	}
}

// Answer takes a provider's ACCEPT, REJECT, RESPONSE or REQUEST_ERROR; data is nil if absent. An
// answer to anything but a call that is dispatched to from under this id and name changes no call
// and earns INVALID_RPC_CORRELATION_ID (Q4). Hot path: 0 allocs, see BenchmarkCall.
func (h *Home) Answer(from protocol.ConnID, action protocol.Action, name, correlationID, data []byte) {
	c := h.find(from, correlationID)
	switch {
	case c == nil || c.open() && !bytes.Equal(c.req.Name, name):
		h.refuse(from, action, name, correlationID)
	case !c.open():
		h.answerLate(c, action, name)
	default:
		h.answer(c, action, data)
	}
}

func (h *Home) answer(c *call, action protocol.Action, data []byte) {
	switch action {
	case protocol.RPCAccept:
		if c.state == accepted {
			h.tell(c.provider.id, protocol.RPCMultipleAccept, c.req.Name, c.dispatchID(), nil)
			return
		}
		c.state = accepted
		h.stop(&c.ackTimer)
		h.tellRequestor(c, protocol.RPCAccept, nil)
	case protocol.RPCReject:
		h.reroute(c)
	case protocol.RPCResponse, protocol.RPCRequestError:
		h.finish(c, action, data)
	}
}

// answerLate takes an answer to a call that ended without its provider. The provider of a call whose
// requestor left did nothing wrong and is not told off; after a terminal answer the id is free.
func (h *Home) answerLate(c *call, action protocol.Action, name []byte) {
	if c.state == timedOut {
		h.refuse(c.provider.id, action, name, c.dispatchID())
	}
	if action != protocol.RPCAccept {
		h.free(c)
	}
}

// Fired takes a timer of Out. A key whose dispatch has ended is ignored.
func (h *Home) Fired(kind uint8, key uint64) {
	c := h.byKey(key)
	if c == nil {
		return
	}
	switch kind {
	case timerAck:
		if c.state == dispatched {
			c.ackTimer = 0
			h.expire(c, protocol.RPCAcceptTimeout)
		}
	case timerEnd:
		c.endTimer = 0
		h.expire(c, protocol.RPCResponseTimeout)
	case timerRetired:
		c.endTimer = 0
		h.free(c)
	}
}

// hasRoom reports whether the limits allow one more call.
func (h *Home) hasRoom(r *Request) bool {
	if cn := h.conns[r.From]; cn != nil && cn.requested.n >= h.opts.CallsPerConnMax {
		return false
	}
	return h.open() < h.opts.CallsMax && h.kept+r.size() <= h.opts.BytesMax
}

// open returns the number of open calls.
func (h *Home) open() int { return len(h.calls) - len(h.freeSlots) - h.retired.n }

func (h *Home) random(n int) int {
	i := h.out.Random(n)
	if invariant.Enabled {
		invariant.Assert(0 <= i && i < n, "rpc: Random(%d) = %d", n, i)
	}
	return i
}

// refuse answers an input that belongs to no call.
func (h *Home) refuse(to protocol.ConnID, action protocol.Action, name, id []byte) {
	m := h.message(protocol.RPCInvalidRPCCorrelationID, name, id, nil)
	m.OriginalAction = action
	m.IsError = true
	h.out.Send(to, m)
}

// tellRequestor answers the requestor of an open call, unless it is gone.
func (h *Home) tellRequestor(c *call, action protocol.Action, data []byte) {
	if !c.requestor.closing {
		h.tell(c.req.From, action, c.req.Name, c.req.CorrelationID, data)
	}
}

func (h *Home) tell(to protocol.ConnID, action protocol.Action, name, id, data []byte) {
	h.out.Send(to, h.message(action, name, id, data))
}

// message fills the scratch message.
func (h *Home) message(action protocol.Action, name, id, data []byte) *protocol.Message {
	h.msg = protocol.Message{
		Topic:         protocol.TopicRPC,
		Action:        action,
		Name:          name,
		CorrelationID: present(id),
		Data:          present(data),
	}
	return &h.msg
}

// present leaves empty fields out: the official client parses any data that is there and throws on
// "", and takes an empty correlation id for none.
func present(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
