package rpc

import "deepstream-fast/protocol"

// Removal forgets a connection in slices. The connection counts as gone from the beginning.
type Removal struct {
	home *Home
	conn *conn
}

// Closed begins to forget a connection: the calls it made, its part in the calls it was working on,
// and its provisions. Those not yet accepted go to another provider; accepted ones end with
// RESPONSE_TIMEOUT, since the work may have been done. It must be the connection's last input; from
// now on nothing is sent to it. Until the Removal is done its provisions are counted, but not used.
func (h *Home) Closed(id protocol.ConnID) *Removal {
	cn := h.conns[id]
	if cn == nil {
		return nil
	}
	cn.closing = true
	return &Removal{home: h, conn: cn}
}

// Step forgets up to budget calls and provisions and returns how much of the budget is left. While that
// is 0 there may be more, and Step must be called again. A nil Removal has nothing to do.
func (r *Removal) Step(budget int) (left int) {
	if r == nil || r.conn == nil {
		return budget
	}
	h, cn := r.home, r.conn
	for ; budget > 0; budget-- {
		switch {
		case cn.requested.n > 0:
			h.abandon(cn.requested.head)
		case cn.dispatched.n > 0:
			h.withdraw(cn.dispatched.head)
		case len(cn.provisions) > 0:
			h.unprovide(cn.provisions[len(cn.provisions)-1])
		default:
			r.conn = nil
			cn.closing = false
			h.dropIfIdle(cn)
			h.shrink()
			return budget
		}
	}
	return 0
}

// abandon ends a call whose requestor is gone.
func (h *Home) abandon(c *call) {
	if c.provider == c.requestor {
		h.free(c)
	} else {
		h.retire(c, orphaned)
	}
}

// withdraw takes a call, open or retired, from a provider that is gone.
func (h *Home) withdraw(c *call) {
	switch c.state {
	case dispatched:
		h.reroute(c)
	case accepted:
		h.finish(c, protocol.RPCResponseTimeout, nil)
	default:
		h.free(c)
	}
}

// mapKeptMax is the size up to which a map is kept once it was full. A larger one is replaced when a
// 64th of it is used, which costs a millisecond or two: maps do not give memory back by themselves.
const mapKeptMax = 64 << 10

// shrink gives back what maps took up for names and provisions that are gone.
func (h *Home) shrink() {
	if h.namesPeak > mapKeptMax && len(h.names) < h.namesPeak/64 {
		h.names, h.namesPeak = copyOf(h.names), len(h.names)
	}
	if h.provisionsPeak > mapKeptMax && len(h.provisions) < h.provisionsPeak/64 {
		h.provisions, h.provisionsPeak = copyOf(h.provisions), len(h.provisions)
	}
}

// copyOf copies what is in m, and not its size, as maps.Clone would.
func copyOf[K comparable, V any](m map[K]V) map[K]V {
	c := make(map[K]V, len(m))
	for k, v := range m {
		c[k] = v
	}
	return c
}
