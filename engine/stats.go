package engine

import (
	"sync/atomic"
	"time"
)

// counters are a loop's own; its goroutine adds, anybody may read.
type counters struct {
	opened, closed, upgrades, requests       atomic.Uint64
	bytesIn, bytesOut, messagesIn, writes    atomic.Uint64
	blockedEver, slowClosed                  atomic.Uint64
	droppedFrames, droppedBytes, droppedMail atomic.Uint64
	protocolErrors, headTimeouts             atomic.Uint64
	heartbeatTimeouts, panics, longTurns     atomic.Uint64
	ended                                    [Endings]atomic.Uint64
	turns                                    [turnBuckets]atomic.Uint64
	turnTime                                 atomic.Int64
	pulses                                   atomic.Uint64 // for Pulse
	handshakes, resumed, handshakesFailed    atomic.Uint64
	handshakesShed, handshakeTimeouts        atomic.Uint64
	wrongProtocol, proxyRefused              atomic.Uint64
	pending                                  atomic.Int64 // timers, as of the last turn
}

// Stats are sums over all loops since the start. Every way of losing a connection or a frame that
// is not the peer's own doing has a number here.
type Stats struct {
	Opened, Closed    uint64 // sockets
	Upgrades          uint64 // WebSocket handshakes completed
	Requests          uint64 // plain HTTP requests answered
	BytesIn, BytesOut uint64
	MessagesIn        uint64 // complete WebSocket messages
	Writes            uint64 // write calls

	Blocked           int    // connections with a backlog now
	BlockedEver       uint64 // and how often there was one
	SlowClosed        uint64 // connections cut off as slow consumers
	DroppedFrames     uint64 // frames a dropping SlowPolicy discarded
	DroppedBytes      uint64
	DroppedMail       uint64 // fan-outs lost to a full mailbox
	ProtocolErrors    uint64 // connections closed for breaking RFC 6455 or a size limit
	HeadTimeouts      uint64 // connections that never completed a request head
	Refused           uint64 // connections over ConnectionsMax or the slots of a loop, or that came while stopping
	Unable            uint64 // times that accept(2) failed or a connection could not be taken over
	OwedBytes         int64  // memory that backlogs take now
	HeartbeatTimeouts uint64
	Panics            uint64
	LongTurns         uint64 // turns of more than 20 ms

	Ended             [Endings]uint64     // connections closed, by reason
	Turns             [turnBuckets]uint64 // turns by duration, up to each of TurnBounds and beyond
	TurnTime          time.Duration       // of all turns
	Handshakes        uint64              // TLS handshakes completed, of which
	Resumed           uint64              // took up an earlier session
	HandshakesFailed  uint64              // TLS handshakes that came to nothing
	HandshakesShed    uint64              // connections closed because too many handshakes were under way
	HandshakeTimeouts uint64              // connections that never completed one
	WrongProtocol     uint64              // plain HTTP on a TLS port, TLS on a plain one
	Timers            int                 // pending, as of each loop's last turn
	ProxyRefused      uint64              // PROXY headers that are missing, malformed or of somebody not trusted
}

// Stats returns the current sums.
func (e *Engine) Stats() Stats {
	var s Stats
	for _, l := range e.loops {
		c := &l.stats
		s.Opened += c.opened.Load()
		s.Closed += c.closed.Load()
		s.Upgrades += c.upgrades.Load()
		s.Requests += c.requests.Load()
		s.BytesIn += c.bytesIn.Load()
		s.BytesOut += c.bytesOut.Load()
		s.MessagesIn += c.messagesIn.Load()
		s.Writes += c.writes.Load()
		s.Blocked += int(l.blockedCount.Load())
		s.BlockedEver += c.blockedEver.Load()
		s.SlowClosed += c.slowClosed.Load()
		s.DroppedFrames += c.droppedFrames.Load()
		s.DroppedBytes += c.droppedBytes.Load()
		s.DroppedMail += c.droppedMail.Load()
		s.ProtocolErrors += c.protocolErrors.Load()
		s.HeadTimeouts += c.headTimeouts.Load()
		s.HeartbeatTimeouts += c.heartbeatTimeouts.Load()
		s.Panics += c.panics.Load()
		s.LongTurns += c.longTurns.Load()
		for i := range c.ended {
			s.Ended[i] += c.ended[i].Load()
		}
		for i := range c.turns {
			s.Turns[i] += c.turns[i].Load()
		}
		s.TurnTime += time.Duration(c.turnTime.Load())
		s.Handshakes += c.handshakes.Load()
		s.Resumed += c.resumed.Load()
		s.HandshakesFailed += c.handshakesFailed.Load()
		s.HandshakesShed += c.handshakesShed.Load()
		s.HandshakeTimeouts += c.handshakeTimeouts.Load()
		s.WrongProtocol += c.wrongProtocol.Load()
		s.ProxyRefused += c.proxyRefused.Load()
		s.Timers += int(c.pending.Load())
	}
	s.Refused, s.Unable, s.OwedBytes = e.refused.Load(), e.unable.Load(), e.owed.used.Load()
	return s
}

// Connections returns the number of open sockets.
func (s Stats) Connections() int { return int(s.Opened - s.Closed) }
