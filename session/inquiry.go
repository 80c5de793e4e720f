package session

import (
	"bytes"
	"errors"

	"deepstream-fast/engine"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/record"
)

// Decisions of rules that read records. Each record is read at its home, whatever loop that is on.

// Bounds of decisions in progress.
const (
	inquiriesMax  = 4096 // on one loop
	inquiriesEach = 64   // of one message

	// Records, on all loops together, that were read for decisions which are not made yet. They are copies.
	lookBytesMax = 256 << 20
)

// Why a decision did not get a record.
var (
	errNotRead = errors.New("the record could not be read")
	errNoRoom  = errors.New("too much is being read for permission rules")
)

// inquiry is a decision in progress.
type inquiry struct {
	// Set by whoever asks, then constant.
	q      permission.Question            // its bytes are never changed
	loaded func(name string, data []byte) // called for every record that was read; nil: nobody wants to know
	done   func(permission.Answer)        // called once, on the loop, unless inquire has returned the answer

	// Owned by the loop.
	permission.Inquiry
	left  int // records to come
	bytes int // of those that have come
}

// inquire begins a decision. Unless it is made at once, i.done will be called.
func (g *gate) inquire(i *inquiry) permission.Answer {
	i.Inquiry = g.inquirer.Inquire(&i.q)
	a := g.advance(i)
	if a == permission.Pending {
		g.inquiries++
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

// look reads a record for i, whoever may read it.
func (g *gate) look(i *inquiry, name string) {
	l := g.l
	if !l.node.opts.Records {
		g.give(i, name, nil, nil)
		return
	}
	home := l.node.home([]byte(name))
	if home == l.id {
		atOnce := true
		l.records.home.Inspect([]byte(name), func(s record.Snapshot) {
			data, err := l.node.contents(s)
			if atOnce {
				g.give(i, name, data, err)
				return
			}
			l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(l *Loop) { l.gate.arrived(i, name, data, err) }})
		})
		atOnce = false
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

// give hands a record to i.
func (g *gate) give(i *inquiry, name string, data []byte, err error) {
	if i.loaded != nil && err == nil {
		i.loaded(name, data)
	}
	i.Loaded(name, data, err)
	i.bytes += len(data)
	i.left--
}

// arrived gives i a record it has waited for.
func (g *gate) arrived(i *inquiry, name string, data []byte, err error) {
	if g.give(i, name, data, err); i.left > 0 {
		return
	}
	a := g.advance(i)
	if a == permission.Pending {
		return
	}
	g.inquiries--
	i.done(a)
	g.unstall()
}

// rejudge returns what asks the rule of the write being carried out once more, with the record as it is
// when its home judges the write; nil if the rule does not look at it. In between another one may have
// changed it.
func (g *gate) rejudge(q *permission.Question) record.Judge {
	w, inquirer := g.decided, g.inquirer
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
