// Package bulk carries out messages that name many things at once: the names are streamed from the
// undecoded message, each gets a permission decision of its own, and there is one ack for all.
//
// # Invariants
//   - Exactly the denied names are refused, wherever in the list they stand.
//   - The ack comes after the answers about single names, and only if some name was allowed or none
//     was given.
//   - A message's names are processed in order; nothing of them is copied that is not subscribed.
//
// Cost: per name one permission decision and one registry operation. Stability: internal, may
// change.
package bulk

import (
	"deepstream-fast/lazyjson"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/registry"
)

// Topic is the small table by which topics differ in their bulk actions.
type Topic struct {
	Topic    protocol.Topic
	Space    byte            // first byte of the topic's registry keys
	Denied   protocol.Action // MESSAGE_DENIED
	Failed   protocol.Action // MESSAGE_PERMISSION_ERROR
	Invalid  protocol.Action // INVALID_MESSAGE_DATA or the nearest the topic has
	Multiple protocol.Action // MULTIPLE_SUBSCRIPTIONS or MULTIPLE_PROVIDERS
}

// Peer is the connection that sent the message.
type Peer struct {
	ID   protocol.ConnID
	User *permission.User
}

// Out is what bulk needs of its surroundings.
type Out interface {
	// Reply sends m, which dies on return, to the peer.
	Reply(to protocol.ConnID, m *protocol.Message)
	// Limited counts a subscription over the limit of its connection.
	Limited()
}

// Observer hears of every subscription that came or went. edge tells that the name got its first,
// or lost its last, subscriber on this loop. name dies on return.
type Observer interface {
	Subscribed(peer protocol.ConnID, name []byte, edge bool)
	Unsubscribed(peer protocol.ConnID, name []byte, edge bool)
}

// Runner carries out bulk messages of one loop. Not safe for concurrent use.
type Runner struct {
	// Set by New, then constant.
	subs   *registry.Loop
	check  permission.Checker
	out    Out
	limits Limits

	key   []byte // scratch: space byte and name
	reply protocol.Message
	ask   permission.Question
}

// Limits bounds what connections may ask for.
type Limits struct {
	Names         int // of one message: one with more is refused as a whole
	Subscriptions int // of one connection, all topics: further names are denied; 0: no limit
}

// New returns a Runner over the subscriptions of one loop.
func New(subs *registry.Loop, check permission.Checker, out Out, limits Limits) *Runner {
	return &Runner{subs: subs, check: check, out: out, limits: limits}
}

// Key returns the registry key of name in space. It is valid until the next call.
func (r *Runner) Key(space byte, name []byte) []byte {
	r.key = append(append(r.key[:0], space), name...)
	return r.key
}

// Subscribe subscribes peer to every name of m that it may have, answers what is wrong with single
// names, and acknowledges the rest.
func (r *Runner) Subscribe(t *Topic, peer Peer, m *protocol.Message, obs Observer) {
	if !r.sizeAllowed(t, peer, m) {
		return
	}
	denied := 0
	it := m.Names.Iter()
	for it.Next() {
		name := it.Name()
		if !r.Allowed(t, peer, m, name) {
			denied++
			continue
		}
		if r.Full(peer, r.Key(t.Space, name)) {
			r.refuse(t, t.Denied, peer, m, name)
			denied++
			continue
		}
		res, err := r.subs.Subscribe(peer.ID.Slot(), r.key)
		switch {
		case err != nil || len(name) == 0:
			if res.Changed { // the empty name is no name
				r.subs.Unsubscribe(peer.ID.Slot(), r.key)
			}
			r.refuse(t, t.Invalid, peer, m, name)
		case res.Changed:
			obs.Subscribed(peer.ID, name, res.Edge)
		default:
			r.reply = protocol.Message{Topic: t.Topic, Action: t.Multiple, Name: name, OriginalAction: m.Action}
			r.out.Reply(peer.ID, &r.reply)
		}
	}
	r.ack(t, peer, m, denied)
}

// Full reports, and counts, that peer has all the subscriptions it may have, and not the one of key.
func (r *Runner) Full(peer Peer, key []byte) bool {
	most, slot := r.limits.Subscriptions, peer.ID.Slot()
	if most == 0 || r.subs.Count(slot) < most || r.subs.Subscribed(slot, key) {
		return false
	}
	r.out.Limited()
	return true
}

// Unsubscribe ends the subscriptions to the names of m and acknowledges. Names that are not
// subscribed are passed over: clients race with themselves.
func (r *Runner) Unsubscribe(t *Topic, peer Peer, m *protocol.Message, obs Observer) {
	if !r.sizeAllowed(t, peer, m) {
		return
	}
	it := m.Names.Iter()
	for it.Next() {
		if res := r.subs.Unsubscribe(peer.ID.Slot(), r.Key(t.Space, it.Name())); res.Changed {
			obs.Unsubscribed(peer.ID, it.Name(), res.Edge)
		}
	}
	r.ack(t, peer, m, 0)
}

// AllowedData decides about m, which is about one name and may have data, and tells the peer if it may not.
// If it may, valid reports whether the data is JSON, of which a rule may have made sure already.
func (r *Runner) AllowedData(t *Topic, peer Peer, m *protocol.Message) (allowed, valid bool) {
	if !r.Allowed(t, peer, m, m.Name) {
		return false, false
	}
	return true, m.Data == nil || r.ask.Valid || lazyjson.Valid(m.Data)
}

// Allowed decides about one name of m and tells the peer if it may not.
func (r *Runner) Allowed(t *Topic, peer Peer, m *protocol.Message, name []byte) bool {
	r.ask = permission.Question{User: peer.User, Topic: m.Topic, Action: m.Action, Name: name, Data: m.Data}
	switch r.check.Check(&r.ask) {
	case permission.Allow:
		return true
	case permission.Failed:
		r.refuse(t, t.Failed, peer, m, name)
	default:
		r.refuse(t, t.Denied, peer, m, name)
	}
	return false
}

// Invalid tells the peer that m can't be carried out because of what it holds.
func (r *Runner) Invalid(t *Topic, peer Peer, m *protocol.Message, name []byte) {
	r.refuse(t, t.Invalid, peer, m, name)
}

// Denied tells the peer that it may not do what m asks for about name.
func (r *Runner) Denied(t *Topic, peer Peer, m *protocol.Message, name []byte) {
	r.refuse(t, t.Denied, peer, m, name)
}

// sizeAllowed refuses a message of too many names as a whole.
func (r *Runner) sizeAllowed(t *Topic, peer Peer, m *protocol.Message) bool {
	if m.Names.Len() <= r.limits.Names {
		return true
	}
	r.refuse(t, t.Invalid, peer, m, nil)
	return false
}

// refuse answers one name, or all of m, with an error action. The correlation id and the wish for a
// write acknowledgement go back as they came.
func (r *Runner) refuse(t *Topic, action protocol.Action, peer Peer, m *protocol.Message, name []byte) {
	r.reply = protocol.Message{
		Topic: t.Topic, Action: action, OriginalAction: m.Action, IsError: true,
		Name: name, CorrelationID: given(m.CorrelationID), IsWriteAck: m.IsWriteAck,
	}
	r.out.Reply(peer.ID, &r.reply)
}

func (r *Runner) ack(t *Topic, peer Peer, m *protocol.Message, denied int) {
	if denied > 0 && denied == m.Names.Len() {
		return
	}
	r.reply = protocol.Message{Topic: t.Topic, Action: m.Action, IsAck: true, CorrelationID: m.CorrelationID}
	r.out.Reply(peer.ID, &r.reply)
}

// given returns b, or nil if it is empty: an empty correlation id pairs with nothing.
func given(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}
