package session

import (
	"encoding/binary"

	"deepstream-fast/engine"
	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// A loop reports names to their homes: the first and last subscriber of each that somebody may listen
// to, and the RPCs its connections provide. One message can name a million, so names travel in packets,
// and a home takes a limited number of them out of its packets per turn.

const (
	packetBytesMax  = 64 << 10 // of one packet, unless a single name is longer
	reportsPerTurn  = 2 << 10  // names, a millisecond or two
	reportsBytesMax = 64 << 20 // in packets that wait at one home; what is beyond is done at once
)

// saying is what a report says of a name.
type saying uint8

const (
	subscribed   saying = iota // the loop got its first subscriber
	unsubscribed               // the loop lost its last subscriber
	provided                   // the peer provides the name
	unprovided                 // the peer does not any more
)

// packet is names of which the same is to be said, each behind its length.
type packet struct {
	about saying
	topic int             // listening topic
	loop  int             // that reports
	peer  protocol.ConnID // that provides
	names []byte
}

// outgoing are the packets being filled, by home. They leave at the end of the callback, or before
// anything else that the loop says to that home. The own one is for names there is no time for now.
type outgoing struct {
	packets []packet
	waiting bool // some packet is not empty
}

// report says something of a name to its home.
func (l *Loop) report(p packet, name []byte) {
	p.loop = l.id
	home := l.node.home(name)
	out := &l.outgoing.packets[home]
	if home == l.id && len(out.names) == 0 && l.incoming.idle() {
		l.incoming.left--
		l.learn(&p, name)
		return
	}
	if len(out.names) > 0 && (out.about != p.about || out.topic != p.topic || out.peer != p.peer || len(out.names)+len(name) > packetBytesMax) {
		l.sendPacket(home)
	}
	p.names = append(binary.AppendUvarint(out.names, uint64(len(name))), name...)
	*out = p
	l.outgoing.waiting = true
}

// sendPacket sends what is waiting for one home.
func (l *Loop) sendPacket(home int) {
	p := &l.outgoing.packets[home]
	if len(p.names) == 0 {
		return
	}
	sent := *p
	*p = packet{}
	if home == l.id {
		l.incoming.add(l, &task{packet: sent})
		l.wake()
		return
	}
	l.eng.Post(home, engine.Mail{Kind: mailCall, Body: func(h *Loop) { h.incoming.add(h, &task{packet: sent}) }})
}

// sendPackets sends all that is waiting. Every callback in which names may be reported ends with it.
func (l *Loop) sendPackets() {
	if !l.outgoing.waiting {
		return
	}
	for home := range l.outgoing.packets {
		l.sendPacket(home)
	}
	l.outgoing.waiting = false
}

// learn takes one report.
func (l *Loop) learn(p *packet, name []byte) {
	switch p.about {
	case subscribed, unsubscribed:
		l.listen[p.topic].Subscribers(name, p.loop, p.about == subscribed)
	case provided:
		l.rpc.Provide(p.peer, name)
	case unprovided:
		l.rpc.Unprovide(p.peer, name)
	}
}

// task is a packet that waits at its home, or something else that must not come before one.
type task struct {
	packet
	then  func(*Loop) // instead of names
	bytes int
}

// incoming are the tasks of a home, in the order they came.
type incoming struct {
	tasks []*task
	bytes int
	max   int                     // of bytes: reportsBytesMax; tests have less
	peers map[protocol.ConnID]int // tasks per peer
	left  int                     // names that may still be taken in this turn
}

// idle reports whether nothing waits and the turn has room for a name.
func (in *incoming) idle() bool { return len(in.tasks) == 0 && in.left > 0 }

// add does a task at once if nothing waits and the turn has room for it, else later.
func (in *incoming) add(l *Loop, t *task) {
	if len(in.tasks) == 0 && in.step(l, t) {
		return
	}
	t.bytes += len(t.names)
	in.tasks = append(in.tasks, t)
	in.bytes += t.bytes
	in.peers[t.peer]++
	for in.bytes > in.max { // as much comes off as has come in
		in.left = len(in.tasks[0].names)
		in.first(l)
		in.left = 0
	}
}

// owes reports whether something waits that peer reported to this home.
func (l *Loop) owes(peer protocol.ConnID) bool {
	l.sendPacket(l.id)
	return l.incoming.peers[peer] > 0
}

// after does f once everything has been learned that peer reported before. bytes is what f holds.
func (l *Loop) after(peer protocol.ConnID, bytes int, f func(*Loop)) {
	if !l.owes(peer) {
		f(l)
		return
	}
	l.incoming.add(l, &task{packet: packet{peer: peer}, then: f, bytes: bytes})
}

// step does a task as far as the turn has room, and reports whether it is done.
func (in *incoming) step(l *Loop, t *task) (done bool) {
	if t.then != nil {
		t.then(l)
		return true
	}
	for ; len(t.names) > 0; in.left-- {
		if in.left <= 0 {
			return false
		}
		size, n := binary.Uvarint(t.names)
		end := n + int(size)
		invariant.Assert(n > 0 && end <= len(t.names), "session: a packet of %d bytes is cut off", len(t.names))
		l.learn(&t.packet, t.names[n:end])
		t.names = t.names[end:]
	}
	return true
}

// first does the first task and forgets it, if the turn has room for all of it.
func (in *incoming) first(l *Loop) (done bool) {
	t := in.tasks[0]
	if !in.step(l, t) {
		return false
	}
	in.tasks[0] = nil
	in.tasks = in.tasks[1:]
	in.bytes -= t.bytes
	if in.peers[t.peer]--; in.peers[t.peer] == 0 {
		delete(in.peers, t.peer)
	}
	return true
}

// work does what the turn has room for.
func (in *incoming) work(l *Loop) {
	for len(in.tasks) > 0 && in.first(l) {
	}
}
