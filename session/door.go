package session

import (
	"errors"

	"deepstream-fast/auth"
	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// The door is for messages of users who have no connection: each becomes the only message of a virtual
// one, on the way that every message takes, and what its connection would be sent first is its answer.
// So there is one permission check and one judge for all ways in, and a decision that takes time is a
// late answer here too.
//
// Messages come by mail and are carried out in slices: a long batch, or a flood of short ones, has its
// turns between the sockets.

const (
	doorPerTurn      = 256      // messages carried out in one turn of a loop
	doorBytesPerTurn = 1 << 20  // of messages and answers, likewise
	doorPerRequest   = 32       // messages of one request before the next one has its turn
	doorOpenMax      = 64 << 10 // messages of one loop that wait for their answers; further ones wait to begin
)

// Request is messages of one user. They are carried out in order and answered in any.
type Request struct {
	// Set by the caller before Do, then constant until Done.
	User     *permission.User
	Messages []protocol.Message // own their bytes
	// Take, called per answer with its size in bytes, reports whether there is room for it. It is called
	// on a loop and does not wait. nil: there always is.
	Take func(bytes int) bool

	// Answers, by message, are valid after Done, and views of memory that is the request's own.
	//   - An EMIT that has been distributed is answered with an EMIT that is an ack.
	//   - One without Topic: the caller gave up first.
	//   - CONNECTION ERROR: the server is overloaded and has given up the message.
	//   - PARSER MAXIMUM_MESSAGE_SIZE_EXCEEDED: Take had no room for the answer.
	Answers []protocol.Message

	// Owned by the loop, from Do to Done.
	loop  int
	begun int               // messages carried out
	left  int               // messages without an answer
	open  []protocol.ConnID // by message: its virtual connection; 0: none any more
	full  bool              // there was no room for an answer
	done  chan struct{}
}

// Done is closed when all messages have their answers or the caller has given up. It is never closed if
// the engine stops before.
func (r *Request) Done() <-chan struct{} { return r.done }

// Errors of Do.
var (
	ErrRequests = errors.New("session: too many requests at a time")
	ErrNoLoops  = errors.New("session: the loops are not running")
)

// Do begins to carry out r, on any goroutine. It does not wait, nor return an error once r has begun.
func (n *Node) Do(r *Request) error {
	if len(r.Messages) == 0 {
		r.done = make(chan struct{})
		close(r.done)
		return nil
	}
	r.loop = n.home(r.Messages[0].Name)
	l := n.loops[r.loop]
	if l == nil {
		return ErrNoLoops
	}
	if n.stats.requests.Add(1) > int64(n.opts.RequestsMax) {
		n.stats.requests.Add(-1)
		n.stats.requestsRefused.Add(1)
		return ErrRequests
	}
	r.left, r.done = len(r.Messages), make(chan struct{})
	r.Answers = make([]protocol.Message, len(r.Messages))
	r.open = make([]protocol.ConnID, len(r.Messages))
	l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(l *Loop) { l.door.admit(l, r) }})
	return nil
}

// GiveUp ends the wait for what has no answer yet, soon after. Messages that have begun take effect all
// the same.
func (n *Node) GiveUp(r *Request) {
	n.loops[r.loop].eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(l *Loop) { l.door.giveUp(l, r) }})
}

// UserOf returns the user an authentication has let in, or false if it has not.
func UserOf(r auth.Result) (*permission.User, bool) {
	if !r.Valid || len(r.ID) > userIDBytesMax {
		return nil, false
	}
	if r.ID == "" {
		r.ID = auth.IDAnonymous
	}
	return userOf(r), true
}

// door is one loop's side of it.
type door struct {
	queue  []*Request                // with messages to begin, in turn
	places map[protocol.ConnID]place // open virtual connections
	left   int                       // messages that may still begin in this turn
	bytes  int                       // and bytes
}

// place is the message that a virtual connection stands for.
type place struct {
	r *Request
	i int
}

func newDoor() door {
	return door{places: map[protocol.ConnID]place{}, left: doorPerTurn, bytes: doorBytesPerTurn}
}

// admit takes a request.
func (d *door) admit(l *Loop, r *Request) {
	d.queue = append(d.queue, r)
	d.work(l)
}

// step gives the requests that wait their slice of a new turn, and reports whether one could go on at
// once.
func (d *door) step(l *Loop) (more bool) {
	d.left, d.bytes = doorPerTurn, doorBytesPerTurn
	if len(d.queue) == 0 {
		return false
	}
	d.work(l)
	return len(d.queue) > 0 && len(d.places) < doorOpenMax
}

// work carries out messages as far as the turn goes.
func (d *door) work(l *Loop) {
	for len(d.queue) > 0 && d.hasRoom() {
		r := d.queue[0]
		d.queue[0] = nil
		d.queue = d.queue[1:]
		for n := 0; n < doorPerRequest && r.begun < len(r.Messages) && d.hasRoom(); n++ {
			d.begin(l, r)
		}
		if r.begun < len(r.Messages) {
			d.queue = append(d.queue, r)
		}
	}
	l.sendPackets()
}

func (d *door) hasRoom() bool { return d.left > 0 && d.bytes > 0 && len(d.places) < doorOpenMax }

// begin carries out the next message of r.
func (d *door) begin(l *Loop, r *Request) {
	i := r.begun
	r.begun++
	m := &r.Messages[i]
	d.left--
	d.bytes -= len(m.Name) + len(m.Data)
	if r.full && m.Topic == protocol.TopicRecord && m.Action == protocol.RecordRead {
		d.settle(l, r, i, tooLarge) // there would be no room for the answer
		return
	}
	c := l.eng.OpenVirtual()
	if c == nil {
		d.settle(l, r, i, overloaded)
		return
	}
	s := l.conns.at(c.Slot())
	*s = conn{phase: phaseOpen, attempt: s.attempt, user: r.User, used: usedDoor, id: c.ID()}
	l.limits.begin(c.Slot())
	d.places[c.ID()] = place{r, i}
	r.open[i] = c.ID()
	l.route(c, s, m)
	if s.wait == nil { // else the gate says so when it is carried out
		d.passed(l, c.ID(), m)
	}
}

// passed answers m, which has been carried out for a virtual connection, if nobody else does: an EMIT
// that is let through has no answer.
func (d *door) passed(l *Loop, id protocol.ConnID, m *protocol.Message) {
	if m.Topic != protocol.TopicEvent || m.Action != protocol.EventEmit {
		return
	}
	c, _ := l.connOf(id)
	if p, ok := d.places[id]; ok && c != nil {
		d.end(l, c, p, emitted)
	}
}

// What a message is answered with that nobody else has answered.
var (
	emitted    = protocol.Message{Topic: protocol.TopicEvent, Action: protocol.EventEmit, IsAck: true}
	overloaded = protocol.Message{Topic: protocol.TopicConnection, Action: protocol.ConnectionError}
	tooLarge   = protocol.Message{Topic: protocol.TopicParser, Action: protocol.ParserMaximumMessageSizeExceeded}
)

// Receive implements engine.Receiver.
func (l *Loop) Receive(c *engine.Conn, frame []byte) {
	d := &l.door
	p, ok := d.places[c.ID()]
	if !ok {
		return
	}
	d.bytes -= len(frame)
	var m protocol.Message
	if _, err := codec.Decode(&m, ws.Payload(frame)); err != nil {
		m = overloaded // not of our own encoding: a frame of the WebSocket protocol
	}
	if m.Topic == protocol.TopicRPC && m.Action == protocol.RPCAccept {
		return // the answer is still to come
	}
	if !p.r.full && p.r.Take != nil && !p.r.Take(len(frame)) {
		p.r.full = true
	}
	if p.r.full && len(frame) > doorSmallAnswer {
		m = tooLarge
	}
	if m.Topic == protocol.TopicRPC {
		l.conns.at(c.Slot()).used &^= usedRPC // the call has ended: nobody has to be told
	}
	d.end(l, c, p, m)
}

// doorSmallAnswer is the size of an answer that is always kept: errors and acknowledgements.
const doorSmallAnswer = 1 << 10

// end gives a message its answer and closes its connection.
func (d *door) end(l *Loop, c *engine.Conn, p place, m protocol.Message) {
	delete(d.places, c.ID())
	p.r.open[p.i] = 0
	l.eng.CloseVirtual(c)
	if len(d.queue) > 0 && len(d.places) == doorOpenMax-1 {
		l.wake() // somebody may begin again
	}
	d.settle(l, p.r, p.i, m)
}

// settle notes the answer of a message. The last one ends the request.
func (d *door) settle(l *Loop, r *Request, i int, m protocol.Message) {
	r.Answers[i] = m
	if r.left--; r.left == 0 {
		l.node.stats.requests.Add(-1)
		close(r.done)
	}
}

// lost ends the message of a virtual connection that was closed for another reason than an answer.
func (d *door) lost(l *Loop, c *engine.Conn) {
	if p, ok := d.places[c.ID()]; ok {
		d.end(l, c, p, overloaded)
	}
}

// giveUp ends r as it is.
func (d *door) giveUp(l *Loop, r *Request) {
	for ; r.begun < len(r.Messages); r.begun++ {
		d.settle(l, r, r.begun, protocol.Message{})
	}
	for i, id := range r.open {
		if id != 0 {
			d.end(l, l.eng.Conn(id), place{r, i}, protocol.Message{})
		}
	}
}
