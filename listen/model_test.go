package listen

import (
	"fmt"
	"testing"
	"time"

	"deepstream-fast/protocol"
)

// claim is one (connection, pattern, name): what a listener knows about its part in a provision.
type claim struct {
	conn          protocol.ConnID
	pattern, name string
}

// model plays all listeners and subscribers at random against one Home and checks what they see.
type model struct {
	*testNode
	t        *testing.T
	patterns []*Pattern
	names    []string
	conns    map[protocol.ConnID]map[string]bool // what each listens to
	next     protocol.ConnID

	mail    [3][]func()   // reports of loops on their way to the home
	asked   []claim       // questions not answered; some are stale
	accepts map[claim]int // ACCEPTs that no REMOVED answered
	removal []*Removal
	offers  []func()
}

var modelPatterns = []string{"^a", "a/.*", "^b/[0-9]+$", "1", "^(a|c)/", ".*"}

func newModel(t *testing.T, seed uint64, ordered bool) *model {
	opts := Options{Ordered: ordered, RematchInterval: 20 * time.Second, MatchCooldown: 5 * time.Second}
	m := &model{
		testNode: newTestNode(Record, opts, seed), t: t,
		conns: map[protocol.ConnID]map[string]bool{}, accepts: map[claim]int{},
	}
	if seed%3 > 0 { // a turn is a few tests, of hundreds of units each, or not even one
		m.home.perTurn = []int{0, 1, 2000}[seed%3]
	}
	for _, text := range modelPatterns {
		m.patterns = append(m.patterns, mustCompile(t, text))
	}
	for i := range 8 {
		for _, prefix := range []string{"a/", "b/", "c/", "😀"} {
			m.names = append(m.names, fmt.Sprint(prefix, i))
		}
	}
	m.onSend = m.received
	return m
}

// received is a listener reading a message.
func (m *model) received(to protocol.ConnID, msg *protocol.Message) {
	c := claim{to, string(msg.Name), string(msg.Subscription)}
	switch msg.Action {
	case Record.Found:
		if !m.conns[to][c.pattern] {
			m.t.Fatalf("%+v is asked but does not listen", c)
		}
		if m.home.HasProvider(msg.Subscription) {
			m.t.Fatalf("%+v is asked for a provided name", c)
		}
		m.asked = append(m.asked, c)
	case Record.Removed:
		if m.accepts[c] == 0 {
			m.t.Fatalf("%+v is stopped but does not provide", c)
		}
		delete(m.accepts, c)
	}
}

// answer takes a random question, perhaps an old one, and answers it.
func (m *model) answer(accept bool) {
	if len(m.asked) == 0 {
		return
	}
	i := m.random.IntN(len(m.asked))
	c := m.asked[i]
	if m.random.IntN(4) > 0 { // else it stays, to be answered twice
		m.asked = append(m.asked[:i], m.asked[i+1:]...)
	}
	if m.conns[c.conn] == nil {
		return // a closed connection says nothing
	}
	if accept {
		m.accepts[c]++
		m.home.Accept(c.conn, []byte(c.pattern), []byte(c.name))
	} else {
		m.home.Reject(c.conn, []byte(c.pattern), []byte(c.name))
	}
}

func (m *model) listen() {
	conn := m.randomConn()
	p := m.patterns[m.random.IntN(len(m.patterns))]
	added, err := m.home.Listen(conn, p)
	if err != nil || added == m.conns[conn][string(p.text)] {
		m.t.Fatalf("listen %d %q: added %v, err %v", conn, p.text, added, err)
	}
	m.conns[conn][string(p.text)] = true
	if added {
		for _, name := range m.names {
			m.offers = append(m.offers, func() { m.home.Offer(p, []byte(name), m.subs[name]) })
		}
	}
}

// randomConn returns an open connection, sometimes a new one.
func (m *model) randomConn() protocol.ConnID {
	conn := m.next - protocol.ConnID(m.random.IntN(5))
	if m.conns[conn] != nil {
		return conn
	}
	m.next++
	m.conns[m.next] = map[string]bool{}
	return m.next
}

func (m *model) unlisten() {
	conn := m.randomConn()
	text := modelPatterns[m.random.IntN(len(modelPatterns))]
	r := m.home.Unlisten(conn, []byte(text))
	if (r != nil) != m.conns[conn][text] {
		m.t.Fatalf("unlisten %d %q: got %v", conn, text, r)
	}
	delete(m.conns[conn], text)
	m.forget(func(c claim) bool { return c.conn == conn && c.pattern == text })
	m.removal = append(m.removal, r)
}

func (m *model) close(conn protocol.ConnID) {
	delete(m.conns, conn)
	m.forget(func(c claim) bool { return c.conn == conn })
	m.removal = append(m.removal, m.home.Closed(conn))
}

// forget drops the provisions of a listener that went, which are not removed by message.
func (m *model) forget(gone func(claim) bool) {
	for c := range m.accepts {
		if gone(c) {
			delete(m.accepts, c)
		}
	}
}

func (m *model) stepRemovals(budget int) {
	for i := 0; i < len(m.removal); {
		if m.removal[i].Step(budget) == 0 {
			i++
		} else {
			m.removal = append(m.removal[:i], m.removal[i+1:]...)
		}
	}
}

func (m *model) runOffers(limit int) {
	for ; limit > 0 && len(m.offers) > 0; limit-- {
		offer := m.offers[0]
		m.offers = m.offers[1:]
		offer()
	}
}

// report changes a subscription now and tells the home later, in order per loop.
func (m *model) report(name string, loop int, on bool) {
	bit := uint64(1) << loop
	if on == (m.subs[name]&bit != 0) {
		return
	}
	if m.subs[name] ^= bit; m.subs[name] == 0 {
		delete(m.subs, name)
	}
	m.mail[loop] = append(m.mail[loop], func() { m.home.Subscribers([]byte(name), loop, on) })
}

// deliver hands over the oldest reports of a loop.
func (m *model) deliver(loop, limit int) {
	for ; limit > 0 && len(m.mail[loop]) > 0; limit-- {
		m.mail[loop][0]()
		m.mail[loop] = m.mail[loop][1:]
	}
}

func (m *model) step() {
	name := m.names[m.random.IntN(len(m.names))]
	loop := m.random.IntN(3)
	switch m.random.IntN(22) {
	case 0, 1, 2:
		m.report(name, loop, true)
	case 3, 4:
		m.report(name, loop, false)
	case 5:
		m.listen()
	case 6:
		m.unlisten()
	case 7:
		if m.random.IntN(2) == 0 {
			m.close(m.randomConn())
		}
	case 8, 9, 10:
		m.answer(true)
	case 11:
		m.answer(false)
	case 12:
		m.advance(time.Duration(m.random.IntN(700)) * time.Millisecond)
	case 13:
		m.advance(time.Duration(m.random.IntN(8)) * time.Second)
	case 14:
		m.stepRemovals(1 + m.random.IntN(3))
	case 15:
		m.runOffers(1 + m.random.IntN(40))
	case 16, 17:
		m.home.Turn()
	default:
		m.deliver(loop, 1+m.random.IntN(6))
	}
}

// checkProviders wants one active provider per name at most, and that those who think they provide
// are the ones who do.
func (m *model) checkProviders() {
	m.checkState(m.t)
	for text, id := range m.home.byName {
		n := m.home.names.at(id)
		if n.state() != provided || n.holder.gone {
			continue
		}
		c := claim{n.holder.conn, string(n.holder.entry.pattern.text), text}
		if m.accepts[c] == 0 {
			m.t.Fatalf("%+v provides without having accepted", c)
		}
		if !m.provided[text] {
			m.t.Fatalf("%q is provided, but its subscribers do not know", text)
		}
	}
	for c, count := range m.accepts {
		id := m.home.byName[c.name]
		if count > 0 && m.home.answering(id, c.conn, []byte(c.pattern)) != provided {
			m.t.Fatalf("%+v believes it provides", c)
		}
	}
}

// settle lets everybody accept until nothing moves: then every subscribed name that some pattern
// matches has a provider.
func (m *model) settle() {
	for loop := range m.mail {
		m.deliver(loop, len(m.mail[loop]))
	}
	m.runOffers(len(m.offers))
	m.stepRemovals(1 << 20)
	m.check(m.t)
	for range 100 { // at least one round later than every cooldown
		m.advance(400 * time.Millisecond)
		m.rest()
		for len(m.asked) > 0 {
			m.answer(true)
			m.rest()
		}
	}
	for name := range m.subs {
		want := false
		for _, texts := range m.conns {
			for _, p := range m.patterns {
				want = want || texts[string(p.text)] && p.Match([]byte(name))
			}
		}
		if got := m.home.HasProvider([]byte(name)); got != want {
			m.t.Fatalf("%q has a provider: %v, want %v", name, got, want)
		}
	}
	m.checkProviders()
}

func TestModel(t *testing.T) {
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			m := newModel(t, seed, seed%2 == 0)
			for range 4 {
				for range 300 {
					m.step()
					m.checkProviders()
				}
				m.settle()
			}
			for conn := range m.conns {
				m.close(conn)
			}
			m.stepRemovals(1 << 20)
			m.runOffers(len(m.offers))
			m.checkEmpty(t)
		})
	}
}
