package engine

import (
	"time"

	"deepstream-fast/codec/ws"
)

// Ending says why a connection ended. Of several reasons the first one counts.
type Ending uint8

// The reasons for the end of a connection.
const (
	EndedByPeer     Ending = iota // it hung up, or its network did
	EndedRequest                  // it wanted no WebSocket, or was refused one, and got its answer
	EndedHead                     // it never completed a request head
	EndedSilence                  // it missed its heartbeats
	EndedProtocol                 // it broke RFC 6455, or TLS once that was established
	EndedTooBig                   // its message was over a limit of size
	EndedPolicy                   // it had not logged in as it should, or took too long over a message
	EndedSlow                     // it was a slow consumer
	EndedOverload                 // the server could not keep up with what it was to be sent, or with handshakes
	EndedDrain                    // the server was stopped
	EndedPanic                    // its message made a handler panic
	EndedProxy                    // its PROXY header was missing, malformed, or of somebody not trusted
	EndedHandshake                // its TLS handshake failed or was not done in time, or it spoke no TLS where it had to
	EndedHandedOver               // it went on outside the reactor, see HandOff
	Endings                       // how many there are
)

var endingNames = [Endings]string{
	"peer", "request", "head_timeout", "heartbeat_timeout", "protocol_error", "too_big", "policy",
	"slow_consumer", "overload", "drain", "panic", "proxy_header", "tls_handshake", "handed_over",
}

// String returns the value of the metric's label.
func (e Ending) String() string {
	if e >= Endings {
		return "unknown"
	}
	return endingNames[e]
}

// endingOf returns the reason behind a close code of ours.
func endingOf(code ws.CloseCode) Ending {
	switch code {
	case ws.CloseGoingAway:
		return EndedDrain
	case ws.CloseMessageTooBig:
		return EndedTooBig
	case ws.ClosePolicyViolation:
		return EndedPolicy
	case ws.CloseInternalError:
		return EndedOverload
	default:
		return EndedProtocol
	}
}

// because notes why c is going to end.
func (c *Conn) because(why Ending) {
	if c.ending == EndedByPeer {
		c.ending = why
	}
}

// TurnBounds are the upper bounds of Stats.Turns; longer turns are counted in its last place.
var TurnBounds = [...]time.Duration{
	20 * time.Microsecond, 100 * time.Microsecond, 500 * time.Microsecond,
	2 * time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond, time.Second,
}

// turnBuckets is one more than there are bounds.
const turnBuckets = len(TurnBounds) + 1

// took counts a turn.
func (c *counters) took(d time.Duration) {
	i := 0
	for i < len(TurnBounds) && d > TurnBounds[i] {
		i++
	}
	c.turns[i].Add(1)
	c.turnTime.Add(int64(d))
	if d > turnWarnDuration {
		c.longTurns.Add(1)
	}
}
