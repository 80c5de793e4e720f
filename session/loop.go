package session

import (
	"math/rand/v2"
	"time"

	"deepstream-fast/bulk"
	"deepstream-fast/codec"
	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/event"
	"deepstream-fast/fanout"
	"deepstream-fast/lazyjson"
	"deepstream-fast/listen"
	"deepstream-fast/presence"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
	"deepstream-fast/rpc"
	"deepstream-fast/timer"
)

// Kinds of engine.Mail between loops.
const (
	mailFanout = iota // a publication for the subscribers of this loop
	mailSend          // a frame for one connection of this loop
	mailCall          // Body is a func(*Loop): everything that is not hot
)

// Kinds of timers on a loop's wheel. Homes number their own from these bases on.
const (
	timerLogin  = 0x00
	timerExpiry = 0x01
	timerRPC    = 0x10
	timerListen = 0x20 // + 0x10 per listening topic
)

// Loop serves the connections of one engine loop and is home to its share of the names. All of it is
// owned by that loop's goroutine.
type Loop struct {
	// Set by newLoop, then constant.
	id   int
	node *Node
	eng  *engine.Loop

	conns    conns
	subs     *registry.Loop
	fan      *fanout.Fanout // of what a slow subscriber may miss
	news     *fanout.Fanout // of what nobody may
	gate     *gate
	limits   limits
	recheck  recheck
	bulk     *bulk.Runner
	event    *event.Handler
	rpc      *rpc.Home
	presence *presence.Directory // on presenceHome, else nil
	listen   [listenTopics]*listen.Home
	records  *records
	door     door

	outgoing   outgoing   // names to be reported to other loops
	incoming   incoming   // names that other loops reported
	scans      []*scan    // names still to be offered to new patterns
	scanBudget scanBudget // of this turn
	removals   []removal  // of what is gone
	handOns    int        // pieces of removals that may still be done in this turn
	woken      bool       // a turn for these is on its way

	events eventLog
	parses lazyjson.Counters // of this loop; safe from any goroutine
	tally  tally

	msg   protocol.Message // the message being handled
	reply protocol.Message // scratch
	key   []byte           // scratch
}

func newLoop(n *Node, eng *engine.Loop) *Loop {
	l := &Loop{id: eng.ID(), node: n, eng: eng, events: newEventLog(n.opts.Log)}
	l.subs = registry.NewLoop(n.table, l.id)
	l.fan = fanout.New(l.id, n.table, l.subs, output{l, engine.Droppable})
	l.news = fanout.New(l.id, n.table, l.subs, output{l, engine.Broadcast})
	l.outgoing.packets = make([]packet, n.opts.Loops)
	l.incoming = incoming{max: reportsBytesMax, peers: map[protocol.ConnID]int{}}
	l.grant()
	l.gate = newGate(l)
	l.bulk = bulk.New(l.subs, l.gate, l, bulk.Limits{Names: n.opts.BulkNamesMax, Subscriptions: n.opts.SubscriptionsMax})
	l.event = event.New(l.bulk, l.fan, eventObserver{l})
	calls := n.opts.Calls
	if n.opts.CallsMax > 0 {
		calls.Ended = l.callEnded
	}
	l.rpc = rpc.NewHome(calls, rpcOut{clock{l, timerRPC}})
	for t := range l.listen {
		l.listen[t] = listen.New(*listenActions[t], n.opts.Listen, listenOut{clock{l, timerListen + uint8(t)<<4}, t})
	}
	if l.id == presenceHome {
		l.presence = presence.New(presence.Options{HideAnonymous: n.opts.HideAnonymous}, presenceOut{l})
	}
	l.records = newRecords(l)
	l.door = newDoor()
	return l
}

// Open implements engine.Handler.
func (l *Loop) Open(c *engine.Conn, hs *ws.Handshake) {
	s := l.conns.at(c.Slot())
	*s = conn{phase: phaseChallenge, attempt: s.attempt, login: &login{remote: c.RemoteAddr(), header: hs.Header, headers: hs.Headers()}}
	if t := l.node.opts.UnauthenticatedTimeout; t > 0 {
		s.login.timer = l.eng.StartTimer(t, timerLogin, uint64(c.ID()))
	}
	l.logOpen(c, s.login.remote, hs.Header("referer"))
}

// Message implements engine.Handler: every protocol message in one WebSocket message is handled, in
// order. Only a message about many names may be larger than MessageBytesMax, and nothing but it: what
// follows in the same frame would have got past the engine's limit.
func (l *Loop) Message(c *engine.Conn, payload []byte, text bool) {
	if text {
		l.eng.Close(c, ws.CloseUnsupportedData, "this endpoint speaks binary frames")
		return
	}
	s := l.conns.at(c.Slot())
	defer l.sendPackets()
	large := len(payload) > l.node.opts.MessageBytesMax
	for first := true; (first || len(payload) > 0) && c.IsOpen(); first = false {
		n, err := codec.Decode(&l.msg, payload)
		if large && (err != nil || n < len(payload) || !codec.Bulk(l.msg.Topic, l.msg.Action)) {
			l.eng.Close(c, ws.CloseMessageTooBig, "message too big")
			return
		}
		switch {
		case err != nil || len(l.msg.CorrelationID) > correlationBytesMax:
			l.undecodable(c, s)
			if n == 0 {
				return
			}
		default:
			l.dispatch(c, s, &l.msg)
		}
		payload = payload[n:]
	}
}

// correlationBytesMax bounds what the answer about every single name of a message repeats. The official
// client's are of 20 bytes.
const correlationBytesMax = 1 << 10

// Close implements engine.Handler: what the connection did for others ends now, what it held in the
// registry is released in slices.
func (l *Loop) Close(c *engine.Conn) {
	s := l.conns.at(c.Slot())
	l.logClose(c, s)
	l.endLogin(s)
	l.records.closed(s)
	if s.used&usedRPC != 0 {
		l.closeRPC(c.ID())
	}
	if s.used&usedListen != 0 {
		l.closeListen(c.ID())
	}
	if s.used&usedDoor != 0 {
		l.door.lost(l, c)
	} else if s.user != nil {
		l.node.stats.online.Add(-1)
		l.presenceLogout(c.ID(), s.user.ID)
	}
	*s = conn{attempt: s.attempt + 1}
}

// Release implements engine.Handler.
func (l *Loop) Release(c *engine.Conn, budget int) (more bool) {
	more = l.subs.RemoveConn(c.Slot(), budget, l.released)
	l.sendPackets()
	return more
}

func (l *Loop) released(_ registry.TopicRef, key []byte, edge bool) {
	for topic, space := range listenSpaces {
		if edge && key[0] == space {
			l.reportEdge(topic, key[1:], false)
		}
	}
}

// Mail implements engine.Handler.
func (l *Loop) Mail(m *engine.Mail) {
	switch m.Kind {
	case mailFanout:
		fan := l.fan
		if m.Class != engine.Droppable {
			fan = l.news
		}
		fan.About = m.About
		fan.Deliver(registry.TopicRef{ID: m.Topic, Gen: m.Gen}, m.Conn, m.Frame)
	case mailSend:
		if c := l.eng.Conn(m.Conn); c != nil {
			l.eng.Send(c, m.Frame, m.Class)
		}
	case mailCall:
		m.Body.(func(*Loop))(l)
	default:
		l.records.mail(m)
	}
}

// Fired implements engine.Handler.
func (l *Loop) Fired(kind uint8, key uint64) {
	switch {
	case kind == timerLogin:
		l.loginTimeout(protocol.ConnID(key))
	case kind == timerExpiry:
		l.sessionExpired(protocol.ConnID(key))
	case kind >= timerRecord:
		l.records.home.Fired(kind - timerRecord)
	case kind >= timerListen:
		l.listen[(kind-timerListen)>>4].Fired(kind&0x0F, key)
	default:
		l.rpc.Fired(kind-timerRPC, key)
	}
}

// TurnEnd implements engine.Handler.
func (l *Loop) TurnEnd(drained bool) (more bool) {
	more = l.records.step()
	more = l.recheck.step(l) || more
	more = l.background() || more
	more = l.door.step(l) || more
	if drained { // mail left over may carry the id of a name that is gone
		more = l.subs.Quiesce() || more
	}
	return more
}

// on runs f on another loop; f must own everything it refers to.
func (l *Loop) on(loop int, f func(*Loop)) {
	l.sendPacket(loop)
	l.eng.Post(loop, engine.Mail{Kind: mailCall, Body: f})
}

// Reply implements bulk.Out.
func (l *Loop) Reply(to protocol.ConnID, m *protocol.Message) { l.send(to, m, engine.Reply) }

// send encodes m for one connection, wherever it lives, and logs it if it is a complaint.
func (l *Loop) send(to protocol.ConnID, m *protocol.Message, class engine.Class) {
	l.complain(to, m)
	l.transmit(to, m, class)
}

func (l *Loop) transmit(to protocol.ConnID, m *protocol.Message, class engine.Class) {
	if to.Loop() != l.id {
		l.tally.sent(m)
		l.eng.Post(to.Loop(), engine.Mail{Kind: mailSend, Class: class, Conn: to, Frame: l.fan.Frame(m)})
		return
	}
	if c := l.eng.Conn(to); c != nil && c.IsOpen() {
		l.tally.sent(m)
		l.eng.Send(c, l.fan.Local(m), class)
		return
	}
	l.tally.unheard(m)
}

// output is where fanout's deliveries go.
type output struct {
	l     *Loop
	class engine.Class
}

// Room implements fanout.Output.
func (o output) Room(n int) []byte { return o.l.eng.Room(n) }

// SendAll implements fanout.Output.
func (o output) SendAll(slots []uint32, except uint32, frame []byte) {
	o.l.tally.delivered(o.about(), o.l.eng.SendAll(slots, except, frame, o.class))
}

// about returns what is being delivered.
func (o output) about() protocol.Kind {
	if o.class == engine.Droppable {
		return o.l.fan.About
	}
	return o.l.news.About
}

// PostFanout implements fanout.Output.
func (o output) PostFanout(loop int, ref registry.TopicRef, except protocol.ConnID, frame []byte) {
	o.l.eng.Post(loop, engine.Mail{
		Kind: mailFanout, Droppable: o.class == engine.Droppable, Class: o.class, About: o.about(),
		Conn: except, Topic: ref.ID, Gen: ref.Gen, Frame: frame,
	})
}

// clock is what a home needs of its loop: timers numbered from base on, chance, and the time.
type clock struct {
	l    *Loop
	base uint8
}

func (c clock) start(after time.Duration, kind uint8, key uint64) timer.ID {
	return c.l.eng.StartTimer(after, c.base+kind, key)
}

// Random implements rpc.Out and listen.Out.
func (c clock) Random(n int) int { return rand.IntN(n) }

// Now implements listen.Out.
func (c clock) Now() time.Duration { return c.l.eng.Now() }
