package engine

import (
	"time"

	"github.com/panjf2000/gnet/v2"

	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
	"deepstream-fast/timer"
)

// connState is the life of a connection. It only ever grows within one generation.
type connState uint8

const (
	stateFree    connState = iota // slot unused
	stateHead                     // waiting for a complete HTTP request head
	stateOpen                     // WebSocket established
	stateVirtual                  // has no socket, see OpenVirtual
	stateClosing                  // our last bytes are on their way, the peer has to hang up
	stateClosed                   // gnet has let go of the socket
)

// Conn is one connection. Everything here is owned by its loop; other goroutines name it by ID.
type Conn struct {
	gc   gnet.Conn // nil from OnClose on
	fd   int       // of gc; somebody else's once gc is nil
	loop *Loop
	head []byte   // request head received so far, stateHead only
	out  *backlog // nil while the peer keeps up
	edge *edge    // TLS and what a proxy has said; nil without either

	reader ws.Reader
	timer  timer.ID
	seen   time.Duration // loop time of the last bytes received
	since  time.Duration // loop time since which a message is incomplete; 0: none is

	slot, gen uint32
	state     connState
	trusted   bool // may send bulk messages
	opened    bool // Handler.Open was called and Handler.Release is not done
	detached  bool // Handler.Close was called, or never needs to be
	hangup    bool // close the socket as soon as everything is written, without waiting for the peer
	finSent   bool
	ending    Ending // why it is going to end; EndedByPeer unless we have decided so
}

// ID returns the connection's name, valid for the life of the process.
func (c *Conn) ID() protocol.ConnID { return protocol.MakeConnID(c.loop.id, c.slot, c.gen) }

// Slot returns the index of the connection in its loop's slab.
func (c *Conn) Slot() uint32 { return c.slot }

// IsOpen reports whether something can be sent.
func (c *Conn) IsOpen() bool { return c.state == stateOpen || c.state == stateVirtual }

// RemoteAddr returns the address of the peer, or of the client that a trusted proxy acts for, as text:
// "unix" on a Unix socket, "" when it is gone. It allocates.
func (c *Conn) RemoteAddr() string {
	if c.edge != nil && c.edge.remote.IsValid() {
		return c.edge.remote.String()
	}
	if c.gc == nil || c.gc.RemoteAddr() == nil {
		return ""
	}
	if c.gc.RemoteAddr().Network() == "unix" { // whose other end has no name
		return "unix"
	}
	return c.gc.RemoteAddr().String()
}

const chunkConns = 256

// slab holds the connections of a loop in chunks, so that a Conn never moves and growing copies
// nothing. Slots are reused last in, first out.
type slab struct {
	chunks []*[chunkConns]Conn
	free   []uint32
}

// slots returns the number of slots there are, used or not.
func (s *slab) slots() int { return len(s.chunks) * chunkConns }

func (s *slab) at(slot uint32) *Conn { return &s.chunks[slot/chunkConns][slot%chunkConns] }

// acquire returns an unused Conn in its next generation, or nil when there are SlotsMax.
func (s *slab) acquire() *Conn {
	if len(s.free) == 0 {
		base := uint32(len(s.chunks)) * chunkConns
		if base >= protocol.SlotsMax {
			return nil
		}
		s.chunks = append(s.chunks, new([chunkConns]Conn))
		for i := uint32(chunkConns); i > 0; i-- {
			s.free = append(s.free, base+i-1)
		}
	}
	slot := s.free[len(s.free)-1]
	s.free = s.free[:len(s.free)-1]
	c := s.at(slot)
	gen := c.gen + 1
	if gen == 0 { // a ConnID of generation 0 names nobody
		gen = 1
	}
	*c = Conn{slot: slot, gen: gen}
	return c
}

func (s *slab) release(c *Conn) {
	c.state = stateFree
	s.free = append(s.free, c.slot)
}
