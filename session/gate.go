package session

import (
	"bytes"
	"errors"
	"math"

	"deepstream-fast/bulk"
	"deepstream-fast/codec"
	"deepstream-fast/engine"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/record"
)

// Bounds of what waits for permission on one loop.
const (
	inquiriesMax   = 4096     // decisions that are waiting for records
	inquiriesEach  = 64       // of one message
	questionsTurn  = 1024     // asked for one message before others get their turn
	waitBytesMax   = 64 << 20 // messages, and what is known about their names
	waitShare      = 4        // of that may be of one connection: one part in so many
	heldPerTurn    = 256      // messages of one connection carried out when their wait is over
	decisionBytes  = 96       // what is known about one name, beside the name
	heldBytesExtra = 64       // a held message, beside its bytes

	// Records, on all loops together, that were read for decisions which are not made yet. They are copies.
	lookBytesMax = 256 << 20
)

// topics is the number of topics up to the last one that clients have permissions for.
const topics = int(protocol.TopicPresence) + 1

// gate stands in front of the topics, which ask it for permission. Where a rule has to read records, the
// gate lets the message wait, and with it whatever the connection sends afterwards; when all decisions
// about it are there, it is carried out as if it had just come. So topics get their answers at once, and
// the order of a connection's messages does not depend on its rules.
//
// Decisions are those of the rules in force when the message is carried out. What cannot be decided,
// because the gate is full or the rules changed on the way, fails.
type gate struct {
	l *Loop // constant

	rules    permission.Checker
	inquirer permission.Inquirer // of rules that may read records; nil: they never do
	reading  [topics]bool        // whether some rule of a topic may
	serial   int                 // of the rules

	early [2]foretold // what pends has found out about the message that is being carried out
	knows int         // how many of them

	passing *wait   // whose message is being carried out; nil: it never waited
	asking  int     // inquiries in progress
	stalled []*wait // that have found no room for their inquiries, in turn
	waiting int     // messages
	bytes   int     // of what waits

	overflows uint64 // messages that were not decided for lack of room
}

func newGate(l *Loop) *gate {
	g := &gate{l: l}
	g.use(l.node.opts.Permission)
	return g
}

// use makes rules the ones in force.
func (g *gate) use(rules permission.Checker) {
	g.rules = rules
	g.inquirer, _ = rules.(permission.Inquirer)
	g.serial++
	for topic := range g.reading {
		g.reading[topic] = false
		for action := 0; g.inquirer != nil && action <= math.MaxUint8 && !g.reading[topic]; action++ {
			g.reading[topic] = g.inquirer.MayPend(protocol.Topic(topic), protocol.Action(action))
		}
	}
}

// Check implements permission.Checker. The answer is final.
func (g *gate) Check(q *permission.Question) permission.Answer {
	for i := range g.early[:g.knows] {
		if e := &g.early[i]; e.action == q.Action && same(e.name, q.Name) {
			q.Valid = e.valid
			return e.answer
		}
	}
	if g.passing != nil {
		if a, ok := g.passing.answers[decision{q.Action, string(q.Name)}]; ok && g.passing.serial == g.serial {
			return a
		}
	}
	if a := g.rules.Check(q); a != permission.Pending {
		return a
	}
	return permission.Failed // not asked for lack of room, or by rules that are gone
}

// pending counts what waits, for leak tests.
func (g *gate) pending() int { return g.waiting + g.asking + g.bytes }

// pass has the decisions about w count, and returns those that did before.
func (g *gate) pass(w *wait) (before *wait) {
	g.forget() // that was about another message
	before, g.passing = g.passing, w
	return before
}

// foretold is the answer to a question that the topic is going to ask about the same message.
type foretold struct {
	action protocol.Action
	name   []byte // a view of the message
	answer permission.Answer
	valid  bool // its data is known to be JSON
}

// same reports whether a and b are one and the same view, which those of two messages never are.
func same(a, b []byte) bool { return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0] }

// forget ends what pends has prepared.
func (g *gate) forget() { g.knows = 0 }

// decision names one of the decisions about a message.
type decision struct {
	action protocol.Action
	name   string
}

// wait is a message that waits for permission, with what its connection has sent since.
type wait struct {
	peer    bulk.Peer
	raw     []byte
	m       protocol.Message // of raw
	serial  int              // of the rules that decide
	todo    questions
	asked   bool // nothing is left to ask
	stalled bool
	over    bool // carried out
	open    int  // inquiries in progress
	answers map[decision]permission.Answer
	known   map[string][]byte // what a write's rule has read
	bytes   int               // of all this, beside what is held

	held      [][]byte // messages that came later, encoded
	heldBytes int
	posted    bool // a turn that goes on with held is on its way
}

// inquiry is a decision in progress.
type inquiry struct {
	permission.Inquiry
	q      permission.Question // constant; its bytes are never changed
	left   int                 // records to come
	bytes  int                 // of those that have come
	loaded func(name string, data []byte)
	done   func(permission.Answer) // called once, on the loop, unless begin has returned the answer
}

// pends reports whether permission for m has to wait for records. If not, and m is about one name, what it
// has found out is what Check will answer until forget is called.
func (g *gate) pends(user *permission.User, m *protocol.Message) bool {
	g.forget()
	if m.Topic < 0 || m.Topic >= protocol.Topic(topics) || !g.reading[m.Topic] {
		return false
	}
	todo := questionsOf(user, m)
	for budget := questionsTurn; todo.next(); {
		if !g.inquirer.MayPend(m.Topic, todo.q.Action) {
			if todo.n == 1 {
				return false // nor may the others
			}
			continue
		}
		a := permission.Pending // a long list is looked through in slices, too
		if budget--; budget >= 0 {
			a = g.rules.Check(&todo.q)
		}
		if a == permission.Pending {
			g.forget() // it will be asked in full
			return true
		}
		if !todo.list {
			g.early[g.knows] = foretold{todo.q.Action, todo.q.Name, a, todo.q.Valid}
			g.knows++
		}
	}
	return false
}

// begin lets m wait.
func (g *gate) begin(peer bulk.Peer, s *conn, m *protocol.Message) *wait {
	w := &wait{peer: peer, raw: codec.Append(nil, m), answers: map[decision]permission.Answer{}}
	if _, err := codec.Decode(&w.m, w.raw); err != nil || !g.charge(w, len(w.raw)) {
		w.asked = true // what pends fails
	}
	g.waiting++
	if s != nil {
		s.wait = w
	}
	g.restart(w)
	return w
}

// charge counts bytes that wait, or reports that there is no room.
func (g *gate) charge(w *wait, n int) bool {
	if !g.hasRoom(w, n) {
		return false
	}
	g.bytes += n
	w.bytes += n
	return true
}

// hasRoom reports whether n more bytes of w's connection may wait: no connection may take the room of all.
func (g *gate) hasRoom(w *wait, n int) bool {
	most := g.l.node.waitBytesMax
	if g.bytes+n <= most && w.bytes+w.heldBytes+n <= most/waitShare {
		return true
	}
	g.overflows++
	return false
}

// restart asks all questions of w by the rules in force.
func (g *gate) restart(w *wait) {
	w.serial = g.serial
	clear(w.answers)
	w.known = nil
	w.todo = questionsOf(w.peer.User, &w.m)
	g.proceed(w)
}

// proceed asks what is left to ask about w as far as there is room, and carries it out when everything
// is answered.
func (g *gate) proceed(w *wait) {
	for budget := questionsTurn; !w.asked && w.open < inquiriesEach; budget-- {
		if g.asking >= inquiriesMax {
			if !w.stalled {
				w.stalled = true
				g.stalled = append(g.stalled, w)
			}
			return
		}
		if budget == 0 {
			g.l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(*Loop) { g.proceed(w) }})
			return
		}
		if w.asked = !w.todo.next(); !w.asked {
			g.ask(w)
		}
	}
	if w.asked && w.open == 0 && !w.over {
		g.finish(w)
	}
}

// ask puts the current question of w, if it takes records to answer it.
func (g *gate) ask(w *wait) {
	q := w.todo.q
	if g.inquirer == nil || !g.inquirer.MayPend(q.Topic, q.Action) || g.rules.Check(&q) != permission.Pending {
		return
	}
	if !g.charge(w, decisionBytes+len(q.Name)) {
		w.asked = true
		return
	}
	key, serial := decision{q.Action, string(q.Name)}, w.serial
	i := &inquiry{q: q}
	if single := !w.todo.list; single {
		if w.known == nil {
			w.known = map[string][]byte{}
		}
		i.loaded = func(name string, data []byte) {
			if !w.over && w.serial == serial {
				w.known[name] = data
			}
		}
	}
	i.done = func(a permission.Answer) {
		w.open--
		if !w.over && w.serial == serial {
			w.answers[key] = a
		}
		g.proceed(w)
	}
	if a := g.inquire(i); a != permission.Pending {
		w.answers[key] = a
		return
	}
	w.open++
}

// finish carries out what has waited, and then what has been held behind it.
func (g *gate) finish(w *wait) {
	if w.serial != g.serial {
		w.asked = false
		g.restart(w)
		return
	}
	w.over = true
	g.waiting--
	c, s := g.l.connOf(w.peer.ID)
	if s != nil {
		s.wait = nil
	}
	before := g.pass(w)
	g.carryOut(c, s, w.peer, &w.m)
	g.pass(before)
	if s != nil && s.used&usedDoor != 0 {
		g.l.door.passed(g.l, w.peer.ID, &w.m)
	}
	g.bytes -= w.bytes
	w.bytes = 0
	g.release(w)
}

// release carries out what has been held behind w, which is over, up to a message that waits itself: the
// others are behind that then. A long list takes several turns, in which w goes on to hold what comes.
func (g *gate) release(w *wait) {
	for budget := heldPerTurn; len(w.held) > 0; budget-- {
		c, s := g.l.connOf(w.peer.ID)
		switch {
		case budget == 0 && s != nil && s.bulk != nil: // one of them keeps the order from here on, not both
			g.bytes -= w.heldBytes
			g.l.records.takeOver(s.bulk, w.held, w.heldBytes)
			w.held, w.heldBytes = nil, 0
			return
		case budget == 0:
			g.postpone(w, s)
			return
		}
		raw := w.held[0]
		w.held[0] = nil
		w.held = w.held[1:]
		n := len(raw) + heldBytesExtra
		g.bytes -= n
		w.heldBytes -= n
		var m protocol.Message
		if _, err := codec.Decode(&m, raw); err != nil {
			continue // not of our own encoding
		}
		var next *wait
		if s != nil {
			s.wait = nil
			g.l.admit(c, s, &m)
			next = s.wait
		} else {
			next = g.outlive(w.peer, &m)
		}
		if next != nil {
			next.held, next.heldBytes = behind(next.held, w.held), next.heldBytes+w.heldBytes
			w.held, w.heldBytes = nil, 0
		}
	}
	if _, s := g.l.connOf(w.peer.ID); s != nil && s.wait == w {
		s.wait = nil
	}
}

// takeOver has messages wait for permission that waited for a long list before.
func (g *gate) takeOver(w *wait, held [][]byte, n int) {
	g.bytes += n
	w.held, w.heldBytes = behind(w.held, held), w.heldBytes+n
}

// postpone goes on with release in another turn. s is nil if the connection is gone.
func (g *gate) postpone(w *wait, s *conn) {
	if s != nil {
		s.wait = w
	}
	if w.posted {
		return
	}
	w.posted = true
	g.l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(*Loop) {
		w.posted = false
		g.release(w)
	}})
}

// carryOut hands a message to its topic. Of a connection that is gone, what changes something for others
// still takes effect.
func (g *gate) carryOut(c *engine.Conn, s *conn, peer bulk.Peer, m *protocol.Message) {
	switch {
	case s != nil:
		g.l.carryOut(c, s, m)
	case lasting(m):
		g.l.carryOutLasting(peer, m)
	}
}

// outlive routes a message of a connection that is gone, and returns what it waits as, if it does.
func (g *gate) outlive(peer bulk.Peer, m *protocol.Message) *wait {
	switch {
	case !lasting(m):
	case g.pends(peer.User, m):
		if w := g.begin(peer, nil, m); !w.over {
			return w
		}
	default:
		g.l.carryOutLasting(peer, m)
		g.forget()
	}
	return nil
}

// hold keeps m behind w. If there is no room, w gets no more time: what is undecided about it fails.
func (g *gate) hold(w *wait, m *protocol.Message) (held bool) {
	raw := codec.Append(nil, m)
	n := len(raw) + heldBytesExtra
	if !g.hasRoom(w, n) {
		if w.over {
			g.release(w)
		} else {
			w.asked = true
			g.finish(w)
		}
		return false
	}
	g.bytes += n
	w.heldBytes += n
	w.held = append(w.held, raw)
	return true
}

// inquire begins a decision. Unless it is made at once, done will be called.
func (g *gate) inquire(i *inquiry) permission.Answer {
	i.Inquiry = g.inquirer.Inquire(&i.q)
	a := g.advance(i)
	if a == permission.Pending {
		g.asking++
	}
	return a
}

// advance goes on with a decision until it is made, or waits for a record.
func (g *gate) advance(i *inquiry) permission.Answer {
	for {
		a, want := i.Next()
		if a != permission.Pending {
			g.l.node.looked.Add(-int64(i.bytes))
			return a
		}
		i.left = len(want) + 1 // one for this call
		for _, name := range want {
			g.look(i, name)
		}
		if i.left--; i.left > 0 {
			return permission.Pending
		}
	}
}

// Why a decision did not get a record.
var (
	errNotRead = errors.New("the record could not be read")
	errNoRoom  = errors.New("too much is being read for permission rules")
)

// look reads a record for i, whoever may read it.
func (g *gate) look(i *inquiry, name string) {
	l := g.l
	if !l.node.opts.Records {
		g.take(i, name, nil, nil)
		return
	}
	home := l.node.home([]byte(name))
	if home == l.id {
		now := true
		l.records.home.Inspect([]byte(name), func(s record.Snapshot) {
			data, err := l.node.contents(s)
			if now {
				g.take(i, name, data, err)
				return
			}
			l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(l *Loop) { l.gate.arrived(i, name, data, err) }})
		})
		now = false
		return
	}
	l.on(home, func(h *Loop) {
		h.records.home.Inspect([]byte(name), func(s record.Snapshot) {
			data, err := l.node.contents(s)
			h.on(l.id, func(l *Loop) { l.gate.arrived(i, name, data, err) })
		})
	})
}

// contents returns a copy of a record, which counts until its inquiry is done. Safe from any goroutine.
func (n *Node) contents(s record.Snapshot) ([]byte, error) {
	if s.Failed != 0 {
		return nil, errNotRead
	}
	size := int64(len(s.Data))
	if n.looked.Add(size) > n.lookBytesMax {
		n.looked.Add(-size)
		return nil, errNoRoom
	}
	return bytes.Clone(s.Data), nil
}

// take gives a record to i.
func (g *gate) take(i *inquiry, name string, data []byte, err error) {
	if i.loaded != nil && err == nil {
		i.loaded(name, data)
	}
	i.Loaded(name, data, err)
	i.bytes += len(data)
	i.left--
}

// arrived gives i a record it has waited for.
func (g *gate) arrived(i *inquiry, name string, data []byte, err error) {
	if g.take(i, name, data, err); i.left > 0 {
		return
	}
	a := g.advance(i)
	if a == permission.Pending {
		return
	}
	g.asking--
	i.done(a)
	for g.asking < inquiriesMax && len(g.stalled) > 0 {
		w := g.stalled[0]
		g.stalled[0] = nil
		g.stalled = g.stalled[1:]
		w.stalled = false
		g.proceed(w)
	}
}

// judge returns what asks the rule of the passing write once more, with the record as it is when the
// write is carried out; nil if the rule does not look at it. In between another one may have changed it.
func (g *gate) judge(q *permission.Question) record.Judge {
	w, inquirer := g.passing, g.inquirer
	if w == nil || inquirer == nil {
		return nil
	}
	if _, reads := w.known[string(q.Name)]; !reads {
		return nil
	}
	asked := *q
	return func(old, _ []byte) protocol.Action {
		i := inquirer.Inquire(&asked)
		for {
			answer, want := i.Next()
			if answer != permission.Pending {
				return refusal(&recordTable, answer)
			}
			for _, name := range want {
				data, known := w.known[name]
				switch {
				case name == string(asked.Name):
					i.Loaded(name, bytes.Clone(old), nil)
				case known:
					i.Loaded(name, data, nil)
				default:
					i.Loaded(name, nil, errNotRead)
				}
			}
		}
	}
}

// refusal returns the action that tells a peer of an answer; 0 if it is allowed.
func refusal(t *bulk.Topic, a permission.Answer) protocol.Action {
	switch a {
	case permission.Allow:
		return 0
	case permission.Failed:
		return t.Failed
	default:
		return t.Denied
	}
}

// questions walks what has to be allowed of a message.
type questions struct {
	q       permission.Question // the current one; its name is a view of the message
	actions [2]protocol.Action
	n, i    int // actions, and the next of them
	list    bool
	it      protocol.NamesIter
}

// questionsOf returns the questions about m. Those the topics ask have to be among them, with the same
// actions and names.
func questionsOf(user *permission.User, m *protocol.Message) (x questions) {
	x.q = permission.Question{User: user, Topic: m.Topic, Name: m.Name, Data: m.Data, Path: m.Path}
	x.actions[0], x.n = m.Action, 1
	switch m.Topic {
	case protocol.TopicEvent:
		x.eventQuestions(m)
	case protocol.TopicRPC:
		x.rpcQuestions(m)
	case protocol.TopicPresence:
		x.presenceQuestions(m)
	case protocol.TopicRecord:
		x.recordQuestions(m)
	default:
		x.n = 0
	}
	if x.list {
		x.it, x.i = m.Names.Iter(), x.n
		x.q.Name, x.q.Data, x.q.Path = nil, nil, nil
	}
	return x
}

// next advances to the next question and reports whether there is one.
func (x *questions) next() bool {
	if x.i == x.n {
		if !x.list || !x.it.Next() {
			return false
		}
		x.q.Name, x.i = x.it.Name(), 0
	}
	if x.i == x.n {
		return false
	}
	x.q.Action = x.actions[x.i]
	x.i++
	return true
}

func (x *questions) eventQuestions(m *protocol.Message) {
	switch m.Action {
	case protocol.EventEmit, protocol.EventListen:
	case protocol.EventSubscribe:
		x.list = true
	default:
		x.n = 0
	}
}

func (x *questions) rpcQuestions(m *protocol.Message) {
	switch m.Action {
	case protocol.RPCRequest:
	case protocol.RPCProvide:
		x.list = true
	default:
		x.n = 0
	}
}

func (x *questions) presenceQuestions(m *protocol.Message) {
	switch m.Action {
	case protocol.PresenceQueryAll, protocol.PresenceSubscribeAll:
		x.q.Name = nil
	case protocol.PresenceQuery:
		x.list = m.Names.Len() > 0
		x.q.Name = nil
	case protocol.PresenceSubscribe:
		x.list = true
	default:
		x.n = 0
	}
}

func (x *questions) recordQuestions(m *protocol.Message) {
	switch m.Action {
	case protocol.RecordRead, protocol.RecordHead, protocol.RecordDelete, protocol.RecordListen:
	case protocol.RecordSubscribe, protocol.RecordSubscribeAndRead, protocol.RecordSubscribeAndHead, protocol.RecordNotify:
		x.list = true
	case protocol.RecordSubscribeCreateAndRead:
		x.list = true
		x.actions, x.n = [...]protocol.Action{protocol.RecordCreate, protocol.RecordRead}, 2
	case protocol.RecordUpdate, protocol.RecordPatch, protocol.RecordErase, protocol.RecordPatchMulti:
		x.actions[0] = writes(m)
	case protocol.RecordCreateAndUpdate, protocol.RecordCreateAndPatch:
		x.actions, x.n = [...]protocol.Action{writes(m), protocol.RecordCreate}, 2
		x.q.Create = true
	default:
		x.n = 0
	}
}

// writes returns what a write is, whatever it calls itself: a patch without data erases. Source:
// spec/records.md §5.1, §5.5.
func writes(m *protocol.Message) protocol.Action {
	switch {
	case len(m.Path) > 0 && m.Data == nil && m.Action != protocol.RecordPatchMulti:
		return protocol.RecordErase
	case m.Action == protocol.RecordCreateAndUpdate:
		return protocol.RecordUpdate
	case m.Action == protocol.RecordCreateAndPatch:
		return protocol.RecordPatch
	}
	return m.Action
}

// lasting reports whether m changes something for others and not for its connection, so that it is
// carried out even if that is gone.
func lasting(m *protocol.Message) bool {
	switch m.Topic {
	case protocol.TopicEvent:
		return m.Action == protocol.EventEmit
	case protocol.TopicRecord:
		switch m.Action {
		case protocol.RecordUpdate, protocol.RecordPatch, protocol.RecordErase, protocol.RecordPatchMulti,
			protocol.RecordCreateAndUpdate, protocol.RecordCreateAndPatch, protocol.RecordDelete:
			return true
		}
	}
	return false
}
