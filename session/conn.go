package session

import (
	"iter"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/timer"
)

// phase is how far a connection has come. Source: spec/connection.md §1.
type phase uint8

const (
	phaseClosed         phase = iota
	phaseChallenge            // P1: waiting for CHALLENGE
	phaseLogin                // P2: waiting for a login
	phaseAuthenticating       // P2a: a login is being judged
	phaseOpen                 // P3: messages are routed
)

// Marks of what a connection has used, so that its end bothers only those concerned.
const (
	usedRPC uint8 = 1 << iota
	usedListen
	usedDoor // it is a virtual one: see door.go
)

// conn is the protocol state of one connection, owned by its loop.
type conn struct {
	user    *permission.User // nil until logged in
	login   *login           // nil from login on, unless the session ends with its credentials
	phase   phase
	used    uint8
	modern  bool   // understands PATCH_MULTI
	attempt uint32 // number of the login being judged: a late judgement of an earlier slot is not ours

	id   protocol.ConnID // set by the login
	bulk *bulkRequest    // being worked off; nil: none
	wait *wait           // for permission; nil: nothing waits
}

// login is what is kept of a connection until it has logged in.
type login struct {
	remote   string
	header   func(name string) string
	headers  iter.Seq2[string, string]
	timer    timer.ID // of the unauthenticated timeout, then of expires
	failures int
	request  *auth.Request // being judged; nil: none

	expires time.Time // of the session; zero: it does not
}

const chunkConns = 256

// conns holds the state of a loop's connections by slot, in chunks, beside the engine's slab.
type conns struct{ chunks []*[chunkConns]conn }

// at returns the state of the connection in slot. The pointer stays valid.
func (s *conns) at(slot uint32) *conn {
	for int(slot/chunkConns) >= len(s.chunks) {
		s.chunks = append(s.chunks, new([chunkConns]conn))
	}
	return &s.chunks[slot/chunkConns][slot%chunkConns]
}

// size returns a bound of the slots ever used.
func (s *conns) size() uint32 { return uint32(len(s.chunks)) * chunkConns }
