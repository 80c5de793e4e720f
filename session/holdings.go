package session

import "deepstream-fast/engine"

// Holdings is what one loop keeps for connections and names. All of it is zero once the last
// connection of the node has been released.
type Holdings struct {
	Subscriptions int // of this loop's connections, all topics
	Calls         int // providers, callers and open calls of the names at home here, and calls counted for their callers
	Patterns      int // (connection, pattern) pairs this loop knows
	Names         int // names at home here that some pattern matches
	Users         int // online, on the loop that counts them
	Unfinished    int // what is still being offered, handed on, reported, taken away or waiting for permission
	Requests      int // messages without a connection that wait to begin or for an answer
	Records       int // requests about records, loads and saves that are not done
}

// Inspect returns mail that has the loop it is posted to call f, on its own goroutine, with what it
// holds. Everything posted to that loop before has been handled by then.
func Inspect(f func(loop int, h Holdings)) engine.Mail {
	return engine.Mail{Kind: mailCall, Body: func(l *Loop) { f(l.id, l.holdings()) }}
}

func (l *Loop) holdings() Holdings {
	h := Holdings{
		Subscriptions: l.subs.Len(),
		Calls:         l.rpc.Len() + len(l.limits.calls),
		Unfinished:    len(l.scans) + len(l.removals) + len(l.incoming.tasks) + l.gate.pending() + l.recheck.pending(),
		Records:       l.records.pending(),
		Requests:      len(l.door.places) + len(l.door.queue),
	}
	for _, home := range l.listen {
		s := home.Stats()
		h.Patterns += s.Listeners
		h.Unfinished += s.Queued
		h.Names += s.Names
	}
	if l.presence != nil {
		h.Users = l.presence.Len()
	}
	return h
}
