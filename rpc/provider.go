package rpc

import "deepstream-fast/protocol"

// name is one RPC name. It exists while it has a provider or an open call.
type name struct {
	text      []byte
	providers []*provision // dense, for the random choice; order means nothing
	calls     int          // open calls of this name
}

// conn is one connection's part in this Home. It exists while any of its lists has an entry.
type conn struct {
	id         protocol.ConnID
	provisions []*provision
	requested  list // open calls it made
	dispatched list // calls it works on, and its reserved ids
	closing    bool // gone, but its Removal is not done
}

// provision says that conn provides name. Both sides know its place, so that removal is a swap.
type provision struct {
	conn           *conn
	name           *name
	inConn, inName int
}

type provisionKey struct {
	conn *conn
	name *name
}

func (h *Home) provide(cn *conn, n *name) {
	key := provisionKey{cn, n}
	if h.provisions[key] != nil {
		return
	}
	h.provisionsPeak = max(h.provisionsPeak, len(h.provisions)+1)
	p := &provision{conn: cn, name: n, inConn: len(cn.provisions), inName: len(n.providers)}
	h.provisions[key] = p
	cn.provisions = append(cn.provisions, p)
	n.providers = append(n.providers, p)
}

// unprovide ends p. Its name is gone with the last provider, unless it has an open call.
func (h *Home) unprovide(p *provision) {
	delete(h.provisions, provisionKey{p.conn, p.name})

	last := p.conn.provisions[len(p.conn.provisions)-1]
	last.inConn = p.inConn
	p.conn.provisions = swapDelete(p.conn.provisions, p.inConn)

	last = p.name.providers[len(p.name.providers)-1]
	last.inName = p.inName
	p.name.providers = swapDelete(p.name.providers, p.inName)

	h.dropIfIdle(p.conn)
	h.dropIfUnused(p.name)
}

// swapDelete removes s[i] by moving the last entry there.
func swapDelete(s []*provision, i int) []*provision {
	end := len(s) - 1
	s[i] = s[end]
	s[end] = nil
	return s[:end]
}

// nameOf returns the name with this text, new if need be.
func (h *Home) nameOf(text []byte) *name {
	n := h.names[string(text)]
	if n == nil {
		h.namesPeak = max(h.namesPeak, len(h.names)+1)
		n = &name{text: append([]byte{}, text...)}
		h.names[string(text)] = n
	}
	return n
}

// connOf returns the connection's entry, new if need be.
func (h *Home) connOf(id protocol.ConnID) *conn {
	if cn := h.conns[id]; cn != nil {
		return cn
	}
	var cn *conn
	if n := len(h.connPool); n > 0 {
		cn = h.connPool[n-1]
		h.connPool = h.connPool[:n-1]
	} else {
		cn = &conn{}
	}
	*cn = conn{id: id, requested: list{by: byOrigin}, dispatched: list{by: byProvider}}
	h.conns[id] = cn
	return cn
}

func (h *Home) dropIfIdle(cn *conn) {
	if cn.closing || len(cn.provisions)+cn.requested.n+cn.dispatched.n > 0 {
		return
	}
	delete(h.conns, cn.id)
	cn.provisions = nil // perhaps large
	if len(h.connPool) < poolMax {
		h.connPool = append(h.connPool, cn)
	}
}

func (h *Home) dropIfUnused(n *name) {
	if len(n.providers) == 0 && n.calls == 0 {
		delete(h.names, string(n.text))
	}
}
