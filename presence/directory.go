package presence

import (
	"unsafe"

	"deepstream-fast/internal/invariant"
	"deepstream-fast/protocol"
)

// Two spellings of nobody. Sessions without a login are openUser, which never counts; the built-in
// open authentication calls its users anonymousUser, which counts unless hidden (Q26).
const (
	openUser      = "OPEN"
	anonymousUser = "open"
)

// Options of a Directory. The zero value is the default.
type Options struct {
	HideAnonymous bool // do not count the user "open"; default false
}

// Out carries out what a Directory decides. No method calls back into the Directory.
type Out interface {
	// Send delivers m to a connection. It copies what it keeps: m and its slices die on return.
	Send(to protocol.ConnID, m *protocol.Message)
	// Announce tells the subscribers of this node, but for conn, that user came online by it, or else
	// went offline with it. user dies on return.
	Announce(user []byte, conn protocol.ConnID, joined bool)
}

// Directory is the set of online users. Its methods run on its home loop's goroutine only; slices
// passed in are not kept.
type Directory struct {
	// Set by New, then constant.
	opts Options
	out  Out

	// Owned by the home loop.
	ids    [][]byte          // online users, dense and in no order
	counts []uint32          // connections of each, 1 or more
	pos    map[string]uint32 // the keys are views of ids

	scratch answer
	msg     protocol.Message
	logins  map[protocol.ConnID]string // under invariants only: who pairs with which Logout
}

// New returns a Directory in which nobody is online.
func New(opts Options, out Out) *Directory {
	return &Directory{opts: opts, out: out, pos: map[string]uint32{}, logins: map[protocol.ConnID]string{}}
}

// Len returns the number of online users.
func (d *Directory) Len() int { return len(d.ids) }

// Login counts one more connection of user, and announces the user if it is the first. Every Login
// of a connection needs exactly one Logout, with the same user, or a ghost stays (Q9).
func (d *Directory) Login(conn protocol.ConnID, user []byte) {
	if d.hidden(user) {
		return
	}
	if invariant.Enabled {
		_, twice := d.logins[conn]
		invariant.Assert(!twice, "presence: %v logged in twice", conn)
		d.logins[conn] = string(user)
	}
	if i, ok := d.pos[string(user)]; ok {
		d.counts[i]++
		return
	}
	id := append([]byte(nil), user...)
	d.pos[view(id)] = uint32(len(d.ids))
	d.ids = append(d.ids, id)
	d.counts = append(d.counts, 1)
	d.out.Announce(id, conn, true)
}

// Logout counts one connection of user less, and announces the user if it was the last.
func (d *Directory) Logout(conn protocol.ConnID, user []byte) {
	if d.hidden(user) {
		return
	}
	if invariant.Enabled {
		as, ok := d.logins[conn]
		invariant.Assert(ok && as == string(user), "presence: %v logged out as %q, not %q", conn, user, as)
		delete(d.logins, conn)
	}
	i, ok := d.pos[string(user)]
	if !ok {
		return
	}
	if d.counts[i]--; d.counts[i] > 0 {
		return
	}
	d.moveLast(i)
	last := len(d.ids) - 1
	id := d.ids[last]
	delete(d.pos, view(id))
	d.ids[last] = nil
	d.ids, d.counts = d.ids[:last], d.counts[:last]
	d.out.Announce(id, conn, false)
}

// QueryAll answers with all online users except self, which need not be online. The list sent is
// the Directory's own: self is moved to its end and left out.
func (d *Directory) QueryAll(to protocol.ConnID, self []byte) {
	others := d.ids
	if i, ok := d.pos[string(self)]; ok {
		d.moveLast(i)
		others = d.ids[:len(d.ids)-1]
	}
	d.send(to, protocol.Message{Action: protocol.PresenceQueryAllResponse, Names: protocol.ListNames(others)})
}

// Query answers with a JSON object that says of each of names whether it is online, in the order of
// the names, each once.
func (d *Directory) Query(to protocol.ConnID, correlationID []byte, names protocol.Names) {
	a := &d.scratch
	a.begin()
	for it := names.Iter(); it.Next(); {
		_, online := d.pos[string(it.Name())]
		a.add(it.Name(), online)
	}
	d.send(to, protocol.Message{Action: protocol.PresenceQueryResponse, CorrelationID: correlationID, Data: a.end()})
	a.release()
}

func (d *Directory) send(to protocol.ConnID, m protocol.Message) {
	d.msg = m
	d.msg.Topic = protocol.TopicPresence
	d.out.Send(to, &d.msg)
	d.msg = protocol.Message{} // hold on to nobody's bytes
}

func (d *Directory) hidden(user []byte) bool {
	return string(user) == openUser || d.opts.HideAnonymous && string(user) == anonymousUser
}

// moveLast swaps the i-th user with the last one.
func (d *Directory) moveLast(i uint32) {
	last := uint32(len(d.ids) - 1)
	d.ids[i], d.ids[last] = d.ids[last], d.ids[i]
	d.counts[i], d.counts[last] = d.counts[last], d.counts[i]
	d.pos[view(d.ids[i])] = i
	d.pos[view(d.ids[last])] = last
}

// view returns b as a string without a copy, so that a user's id is stored once. b must not change
// while the string is in use.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
