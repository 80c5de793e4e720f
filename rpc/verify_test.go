package rpc

import "fmt"

// verify checks that all the views of the same facts agree. O(size).
func (h *Home) verify() error {
	if err := h.verifyCalls(); err != nil {
		return err
	}
	return h.verifyProvisions()
}

func (h *Home) verifyCalls() error {
	open, retired, kept := 0, 0, 0
	openOf := map[*name]int{}
	for slot, c := range h.calls {
		switch {
		case c == nil:
			continue
		case uint32(c.key) != uint32(slot):
			return fmt.Errorf("slot %d holds key %x", slot, c.key)
		case h.find(c.provider.id, c.dispatchID()) != c:
			return fmt.Errorf("dispatch %q is not found", c.dispatchID())
		case h.conns[c.provider.id] != c.provider:
			return fmt.Errorf("provider %v of %q is unknown", c.provider.id, c.dispatchID())
		case c.endTimer == 0, (c.ackTimer != 0) != (c.state == dispatched):
			return fmt.Errorf("timers %d, %d in state %d", c.ackTimer, c.endTimer, c.state)
		}
		if c.open() {
			open++
			kept += len(c.buf)
			openOf[c.name]++
			if h.conns[c.req.From] != c.requestor || h.names[string(c.req.Name)] != c.name {
				return fmt.Errorf("call %q is detached", c.req.CorrelationID)
			}
		} else {
			retired++
			if c.requestor != nil || c.name != nil || c.buf != nil {
				return fmt.Errorf("retired %q is attached", c.dispatchID())
			}
		}
	}
	requested, dispatched := 0, 0
	for id, cn := range h.conns {
		if cn.id != id || !cn.closing && len(cn.provisions)+cn.requested.n+cn.dispatched.n == 0 {
			return fmt.Errorf("conn %v is stale", id)
		}
		requested += cn.requested.n
		dispatched += cn.dispatched.n
	}
	if s := h.Stats(); s.Calls != open || s.Retired != retired || s.Bytes != kept {
		return fmt.Errorf("stats %+v, counted %d open, %d retired, %d bytes", s, open, retired, kept)
	}
	if requested != open || dispatched != open+retired || retired > h.opts.RetiredMax {
		return fmt.Errorf("lists hold %d requested, %d dispatched; %d open, %d retired", requested, dispatched, open, retired)
	}
	for text, n := range h.names {
		if string(n.text) != text || n.calls != openOf[n] || n.calls+len(n.providers) == 0 {
			return fmt.Errorf("name %q has %d calls, counted %d", text, n.calls, openOf[n])
		}
	}
	return nil
}

func (h *Home) verifyProvisions() error {
	inNames, inConns := 0, 0
	for _, n := range h.names {
		inNames += len(n.providers)
		for i, p := range n.providers {
			if p.inName != i || p.name != n || h.provisions[provisionKey{p.conn, n}] != p {
				return fmt.Errorf("provider %d of %q is misplaced", i, n.text)
			}
		}
	}
	for _, cn := range h.conns {
		inConns += len(cn.provisions)
		for i, p := range cn.provisions {
			if p.inConn != i || p.conn != cn || h.provisions[provisionKey{cn, p.name}] != p {
				return fmt.Errorf("provision %d of %v is misplaced", i, cn.id)
			}
		}
	}
	if inNames != len(h.provisions) || inConns != len(h.provisions) {
		return fmt.Errorf("%d provisions, %d by name, %d by conn", len(h.provisions), inNames, inConns)
	}
	return nil
}
