package engine

import (
	"crypto/tls"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"deepstream-fast/codec/ws"
	"deepstream-fast/protocol"
)

// SlowPolicy says what happens to a connection whose backlog is full.
type SlowPolicy uint8

const (
	// SlowClose disconnects it. The client reconnects and asks for everything again, so nothing is
	// lost unnoticed. The default.
	SlowClose SlowPolicy = iota
	// SlowDropNew discards the droppable frame that does not fit any more.
	SlowDropNew
	// SlowDropOldest discards the oldest droppable frames to make room.
	SlowDropOldest
)

// Fixed limits of the engine. Those an operator may want to move are in Options.
const (
	readBytesMax     = 64 << 10  // one read(2)
	headBytesMax     = 8 << 10   // an HTTP request head
	corkBytes        = 64 << 10  // gathered bytes of one write(2), and the most gnet ever holds for a connection
	corkFrameMax     = 16 << 10  // a larger frame is written on its own
	nodesMax         = 256 << 10 // deliveries collected before a turn is flushed early
	framesMax        = 64 << 10  // distinct frames collected before a turn is flushed early
	frameBytesMax    = 8 << 20   // and their bytes
	mailPerTurnMax   = 64 << 10  // mails handled before sockets get their turn again
	mailboxMax       = 1 << 20   // mails waiting in one loop; fan-out beyond is dropped and counted
	mailboxBytesMax  = 64 << 20  // and so many bytes of frames
	releasePerTurn   = 8 << 10   // subscriptions of closed connections released in one turn
	drainPerTurn     = 1000      // connections told to go away in one turn
	drainPerSecond   = 2000      // and by the whole engine, if DrainTimeout gives the time
	httpConnsMax     = 8 << 10   // connections that leave the reactor, by default
	enrollingMax     = 64        // accepted connections on their way to a loop
	strangerBytesMax = 64 << 10  // backlog of a connection that is not trusted yet
	tickDuration     = 64 * time.Millisecond
	blockedTick      = 5 * time.Millisecond
	quietGap         = 4 * time.Microsecond  // see Loop.endRead
	turnWarnDuration = 20 * time.Millisecond // a longer turn is counted
	acceptPauseMin   = 5 * time.Millisecond  // after accept(2) has failed, doubling up to
	acceptPauseMax   = 500 * time.Millisecond
	abortReserve     = 300 * time.Millisecond // of the time to stop, kept for cutting off who is left
)

// Options configures an Engine. Zero values stand for the documented defaults.
type Options struct {
	Host string // address to listen on; empty: all
	Port int    // TCP port; 0: chosen by the kernel, see Engine.Addr

	// Listener is a TCP socket that listens already and that somebody else keeps open: newcomers who find
	// the engine gone wait in its queue for the next one. nil: one of our own, at Host and Port.
	Listener       net.Listener
	UnixSocket     string      // path of a Unix socket to listen on as well, never with TLS; empty: none
	UnixSocketMode fs.FileMode // who may connect to it; 0: 0660
	UnixSocketOnly bool        // do not listen on TCP

	TLS              *tls.Config   // the TCP port speaks TLS; nil: it does not
	HandshakesMax    int           // TLS handshakes under way at a time, some 40 KiB each; 0: 1,024
	HandshakeTimeout time.Duration // a TLS handshake must be complete by then; 0: 10 s

	// ProxyTrusted are the addresses whose connections begin with a PROXY header, all of them: who does
	// not send one is refused. ProxyUnix says so of the Unix socket.
	ProxyTrusted []netip.Prefix
	ProxyUnix    bool

	Loops          int // reactors; 0: one less than the CPUs, at least one, see DefaultLoops
	ConnectionsMax int // 0: from RLIMIT_NOFILE

	HTTPConnectionsMax int // of these, connections that Handoff has; 0: a fourth of them, at most 8192

	OutboundBytesMax int           // backlog of one connection, bytes; 0: 1 MiB
	ReplyBytesMax    int           // the same where answers to its own requests fill it; 0: 16 MiB more
	OwedBytesMax     int64         // memory that backlogs of all connections take; 0: 1 GiB
	SlowPolicy       SlowPolicy    // what happens beyond
	SlowTimeout      time.Duration // a connection that takes nothing for so long is cut off; 0: 10 s

	MessageBytesMax   int                      // one inbound message; 0: 1 MiB
	BulkBytesMax      int                      // one inbound message that Bulk approves; 0: MessageBytesMax
	Bulk              func(prefix []byte) bool // judges a large message by its first bytes
	Refuse            ws.Kind                  // kind of message that is not spoken here; None: both are
	PartialBytesMax   int64                    // incomplete messages of trusted connections; of the others a fourth; 0: 256 MiB
	HeartbeatInterval time.Duration            // silence of two of these ends a connection; 0: 30 s

	FlushInterval time.Duration // broadcasts wait this long for company; 0: the end of the turn
	FlushBytesMax int           // gathered bytes that end the wait; 0: 100,000

	HeadTimeout  time.Duration // a request head must be complete by then; 0: 5 s
	CloseTimeout time.Duration // a peer that has got our close and does not answer is cut off; 0: 2 s
	DrainTimeout time.Duration // Stop may take so long to tell all connections to leave; 0: at once

	// Upgrade judges a WebSocket request by its head: 0 lets it in, else an HTTP status refuses it.
	Upgrade func(*ws.Head) int
	// HTTP answers any other request, or with Status 0 lets it leave with its connection, to Handoff. It
	// must not block; the head dies when it returns.
	HTTP func(*ws.Head) Response
	// Handoff takes over the connection of a request that HTTP has not answered, from the first byte of
	// that request on. It is called on a goroutine of its own and may wait; the connection counts until
	// it is closed. nil refuses them.
	Handoff func(net.Conn)
	// WantsTurn reports, on any goroutine, that every loop should have a turn soon.
	WantsTurn func() bool
	// NewHandler returns what one loop does with its connections.
	NewHandler func(*Loop) Handler

	Log *slog.Logger
}

// Response is a complete answer to a plain HTTP request.
type Response struct {
	Status int    // 0: none, see Options.HTTP
	Type   string // content type; empty with an empty Body
	Fields string // further header fields, each with its CRLF
	Body   string
}

// Handler is what one loop does with its connections. All calls come from the loop's goroutine.
type Handler interface {
	// Open is called once per connection, when its WebSocket handshake is done. hs dies on return.
	Open(c *Conn, hs *ws.Handshake)
	// Message is called per complete message. payload dies on return and may be modified.
	Message(c *Conn, payload []byte, text bool)
	// Close is called once per opened connection: nothing can be sent to it any more.
	Close(c *Conn)
	// Release frees up to budget pieces of what a closed connection held and reports whether some
	// are left. The connection's slot is reused only after it reported false.
	Release(c *Conn, budget int) (more bool)
	// Mail is called per Mail posted to this loop, in order per sending loop.
	Mail(m *Mail)
	// Fired is called when a timer of the loop's wheel expires, unless its kind is TimerConn.
	Fired(kind uint8, key uint64)
	// TurnEnd is called at the end of every turn and reports whether another one should follow.
	// drained tells that all mail which was there when the turn began has been handled.
	TurnEnd(drained bool) (more bool)
}

// Mail is one item of work for another loop. Kind and all but Droppable mean whatever the Handler
// says; kinds from MailEngine on are the engine's.
type Mail struct {
	Kind      uint8
	Droppable bool // may be dropped, and counted, when the mailbox is full
	Class     Class
	About     protocol.Kind
	Conn      protocol.ConnID
	Topic     uint32
	Gen       uint32
	Frame     []byte
	Body      any
}

// MailEngine is the first Mail.Kind the engine keeps for itself.
const MailEngine = 0xF0

const (
	mailDrain = MailEngine + iota
	mailAbort
	mailWire      // what a TLS handshake has written
	mailHandshake // the end of one
)

// TimerConn is the one timer kind the engine keeps for itself.
const TimerConn = 0xFF

func (o Options) withDefaults() Options {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	dur := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Loops, DefaultLoops())
	def(&o.OutboundBytesMax, 1<<20)
	def(&o.ReplyBytesMax, o.OutboundBytesMax+16<<20)
	def(&o.MessageBytesMax, 1<<20)
	def(&o.BulkBytesMax, o.MessageBytesMax)
	def(&o.FlushBytesMax, 100_000)
	def(&o.HandshakesMax, 1024)
	if o.UnixSocketMode == 0 {
		o.UnixSocketMode = 0o660
	}
	if o.PartialBytesMax == 0 {
		o.PartialBytesMax = 256 << 20
	}
	if o.OwedBytesMax == 0 {
		o.OwedBytesMax = 1 << 30
	}
	dur(&o.SlowTimeout, 10*time.Second)
	dur(&o.HeartbeatInterval, 30*time.Second)
	dur(&o.HeadTimeout, 5*time.Second)
	dur(&o.HandshakeTimeout, 10*time.Second)
	dur(&o.CloseTimeout, 2*time.Second)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}
