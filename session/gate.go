package session

import (
	"math"

	"deepstream-fast/bulk"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// Permission, in the files it takes: here is what the topics and the router ask, questions.go says what
// has to be asked about a message, wait.go keeps messages until all of it is answered, inquiry.go makes
// decisions that take records, held.go keeps what a connection sends meanwhile.

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

	// Owned by the loop; set by use.
	rules    permission.Checker
	inquirer permission.Inquirer // of rules that may read records; nil: they never do
	reading  [topics]bool        // whether some rule of a topic may
	ruleset  int                 // number of the rules: what others decided does not count

	// Owned by the loop: about the message that is being carried out.
	early      [2]judgement // what mustWait has found out
	earlyCount int
	decided    *wait // whose decisions count; nil: it never waited

	// Owned by the loop: about what waits.
	inquiries int     // in progress
	stalled   []*wait // that have found no room for their inquiries, in turn
	waiting   int     // messages
	bytes     int     // of what waits

	overflows uint64 // messages that were not decided for lack of room
}

// judgement is the answer to a question that the topic is going to ask about the same message.
type judgement struct {
	action protocol.Action
	name   []byte // a view of the message
	answer permission.Answer
	valid  bool // its data is known to be JSON
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
	g.ruleset++
	for topic := range g.reading {
		g.reading[topic] = false
		for action := 0; g.inquirer != nil && action <= math.MaxUint8 && !g.reading[topic]; action++ {
			g.reading[topic] = g.inquirer.MayPend(protocol.Topic(topic), protocol.Action(action))
		}
	}
}

// mustWait reports whether permission for m has to wait for records. If not, and m is about one name, what
// it has found out is what Check will answer until forget is called. Hot path: 0 allocs, see BenchmarkEmit.
func (g *gate) mustWait(user *permission.User, m *protocol.Message) bool {
	g.forget()
	if m.Topic < 0 || m.Topic >= protocol.Topic(topics) || !g.reading[m.Topic] {
		return false
	}
	left := questionsOf(user, m)
	for budget := questionsTurn; left.next(); {
		if !g.inquirer.MayPend(m.Topic, left.q.Action) {
			if left.count == 1 {
				return false // nor may the others
			}
			continue
		}
		a := permission.Pending // a long list is looked through in slices, too
		if budget--; budget >= 0 {
			a = g.rules.Check(&left.q)
		}
		if a == permission.Pending {
			g.forget() // it will be asked in full
			return true
		}
		if !left.list {
			g.early[g.earlyCount] = judgement{left.q.Action, left.q.Name, a, left.q.Valid}
			g.earlyCount++
		}
	}
	return false
}

// forget ends what mustWait has prepared.
func (g *gate) forget() { g.earlyCount = 0 }

// Check implements permission.Checker. The answer is final.
func (g *gate) Check(q *permission.Question) permission.Answer {
	for i := range g.early[:g.earlyCount] {
		if e := &g.early[i]; e.action == q.Action && sameView(e.name, q.Name) {
			q.Valid = e.valid
			return e.answer
		}
	}
	if w := g.decided; w != nil {
		if a, ok := w.decisions[decisionKey{q.Action, string(q.Name)}]; ok && w.ruleset == g.ruleset {
			return a
		}
	}
	if a := g.rules.Check(q); a != permission.Pending {
		return a
	}
	return permission.Failed // not asked for lack of room, or by rules that are gone
}

// sameView reports whether a and b are one and the same view, which those of two messages never are.
func sameView(a, b []byte) bool { return len(a) > 0 && len(a) == len(b) && &a[0] == &b[0] }

// decideBy has the decisions about w count, nil for none, and returns whose did before.
func (g *gate) decideBy(w *wait) (before *wait) {
	g.forget() // that was about another message
	before, g.decided = g.decided, w
	return before
}

// pending counts what waits, for leak tests.
func (g *gate) pending() int { return g.waiting + g.inquiries + g.bytes }

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
