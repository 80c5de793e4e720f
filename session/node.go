package session

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"deepstream-fast/engine"
	"deepstream-fast/lazyjson"
	"deepstream-fast/listen"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
)

// presenceHome is the loop that keeps the directory of online users.
const presenceHome = 0

// listening topics, in the order of Loop.listen.
const (
	listenEvent = iota
	listenRecord
	listenTopics
)

var listenActions = [listenTopics]*listen.Actions{&listen.Event, &listen.Record}

// Node is what the loops of one server share. All of it is safe for concurrent use.
type Node struct {
	// Set by NewNode, then constant.
	opts  Options
	seed  maphash.Seed // spreads names over home loops
	table *registry.Table

	// patterns counts the (connection, pattern) pairs per listening topic. While it is 0 no loop
	// reports subscriptions to a home.
	patterns [listenTopics]atomic.Int64
	inflow   []inflow // by loop
	loops    []*Loop  // set while the engine starts
	stats    counters
	census   census
	looked   atomic.Int64 // bytes of records that decisions in progress have read

	inflowBytesMax int64         // constant; tests have less
	waitBytesMax   int           // the same
	heldBytesMax   int           // the same
	lookBytesMax   int64         // the same
	expirySpanMax  time.Duration // the same
}

// NewNode returns a Node for an engine of opts.Loops loops. opts must be valid.
func NewNode(opts Options) *Node {
	opts = opts.withDefaults()
	return &Node{
		opts:   opts,
		seed:   maphash.MakeSeed(),
		table:  registry.NewTable(registry.Options{Loops: opts.Loops}),
		inflow: make([]inflow, opts.Loops),
		loops:  make([]*Loop, opts.Loops),

		inflowBytesMax: inflowBytesMax,
		waitBytesMax:   waitBytesMax,
		heldBytesMax:   heldBytesMax,
		lookBytesMax:   lookBytesMax,
		expirySpanMax:  expirySpanMax,
	}
}

// NewHandler returns the Loop that serves one loop of the engine.
func (n *Node) NewHandler(l *engine.Loop) engine.Handler {
	n.loops[l.ID()] = newLoop(n, l)
	return n.loops[l.ID()]
}

// Flush hands over to the store what the homes have collected for it. To be called when the engine has
// stopped, before the store is closed.
func (n *Node) Flush() {
	for _, l := range n.loops {
		if l != nil && l.records.storage != nil {
			l.records.storage.submit()
		}
	}
}

// Refresh says that the store's record called name was written by somebody else than the node: what its
// home knows of it is forgotten, and its subscribers are told. Whoever asks once Refresh has returned gets
// what the store has, as far as Loop.PostAhead goes. Safe for concurrent use; it keeps name.
func (n *Node) Refresh(name []byte) {
	l := n.loops[n.home(name)]
	l.eng.PostAhead(engine.Mail{Kind: mailCall, Body: func(l *Loop) { l.records.home.Notify(protocol.ConnID(0), 0, [][]byte{name}) }})
}

// WantsTurn reports that the registry waits for every loop to have a turn before it reuses names.
func (n *Node) WantsTurn() bool { return n.table.WantsRound() }

// home returns the loop that judges everything about name.
func (n *Node) home(name []byte) int {
	if n.opts.Loops == 1 {
		return 0
	}
	return int(maphash.Bytes(n.seed, name) % uint64(n.opts.Loops))
}

type counters struct {
	logins, loginFailures, authTimeouts atomic.Uint64
	expired, overruns, revoked          atomic.Uint64
	limited                             [limitKinds]atomic.Uint64
	requests                            atomic.Int64
	requestsRefused                     atomic.Uint64
	online                              atomic.Int64
}

// Stats are sums over all loops since the start, and what is there now.
type Stats struct {
	Logins, LoginFailures, AuthTimeouts uint64
	Expired                             uint64 // sessions that ended with their credentials
	Online                              int    // logged-in connections
	Patterns                            int    // (connection, pattern) pairs listening
	Revoked                             uint64 // subscriptions, provisions and patterns taken back after the rules had changed
	SubscriptionsLimited                uint64 // names denied: their connection had all the subscriptions it may have
	CallsLimited                        uint64 // RPCs denied: their connection had all it may have waiting
	MessagesLimited                     uint64 // messages denied: their connection sent too many
	RateClosed                          uint64 // connections closed: they went on sending far too many
	Requests                            int    // without a connection, in progress
	RequestsRefused                     uint64 // over Options.RequestsMax
	Overruns                            uint64 // record messages left out, their receivers disconnected: a loop was too far behind
}

// Parses returns how often JSON was looked into for the given reason, since the start. Events, whole
// updates and reads are only checked when they come in.
func (n *Node) Parses(r lazyjson.Reason) (sum uint64) {
	for _, l := range n.loops {
		if l != nil {
			sum += l.parses.Load(r)
		}
	}
	return sum
}

// Stats returns the current numbers.
func (n *Node) Stats() Stats {
	return Stats{
		Logins:        n.stats.logins.Load(),
		LoginFailures: n.stats.loginFailures.Load(),
		AuthTimeouts:  n.stats.authTimeouts.Load(),
		Expired:       n.stats.expired.Load(),
		Online:        int(n.stats.online.Load()),
		Patterns:      int(n.patterns[listenEvent].Load() + n.patterns[listenRecord].Load()),
		Overruns:      n.stats.overruns.Load(),
		Revoked:       n.stats.revoked.Load(),

		SubscriptionsLimited: n.stats.limited[limitSubscriptions].Load(),
		CallsLimited:         n.stats.limited[limitCalls].Load(),
		MessagesLimited:      n.stats.limited[limitMessages].Load(),
		RateClosed:           n.stats.limited[limitClosed].Load(),

		Requests: int(n.stats.requests.Load()), RequestsRefused: n.stats.requestsRefused.Load(),
	}
}
