package session

import (
	"bytes"

	"deepstream-fast/bulk"
	"deepstream-fast/engine"
	"deepstream-fast/protocol"
)

// Registry name spaces of presence. The global subscription has a space of its own, so that no user
// name can collide with it: quirk Q58.
const (
	presenceSpace    = 'p'
	presenceAllSpace = 'P'
)

var presenceTable = bulk.Topic{
	Topic:    protocol.TopicPresence,
	Space:    presenceSpace,
	Denied:   protocol.PresenceMessageDenied,
	Failed:   protocol.PresenceMessagePermissionError,
	Invalid:  protocol.PresenceInvalidPresenceUsers,
	Multiple: protocol.PresenceMultipleSubscriptions,
}

// presenceMessage handles one PRESENCE message on the sender's loop. Subscriptions live there,
// queries are answered by the directory.
func (l *Loop) presenceMessage(peer bulk.Peer, m *protocol.Message) (known bool) {
	switch m.Action {
	case protocol.PresenceSubscribe:
		l.bulk.Subscribe(&presenceTable, peer, m, unobserved{})
	case protocol.PresenceUnsubscribe:
		l.bulk.Unsubscribe(&presenceTable, peer, m, unobserved{})
	case protocol.PresenceSubscribeAll:
		l.subscribeAll(peer, m, true)
	case protocol.PresenceUnsubscribeAll:
		l.subscribeAll(peer, m, false)
	case protocol.PresenceQuery:
		l.query(peer, m)
	case protocol.PresenceQueryAll:
		l.queryAll(peer, m)
	default:
		return false
	}
	return true
}

// subscribeAll starts or ends the global subscription. The client matches the ack by the absence of
// name and correlation id. Repeating either is harmless and gets the ack alone.
func (l *Loop) subscribeAll(peer bulk.Peer, m *protocol.Message, on bool) {
	key := l.bulk.Key(presenceAllSpace, nil)
	if on {
		if !l.bulk.Allowed(&presenceTable, peer, m, nil) {
			return
		}
		if l.bulk.Full(peer, key) {
			l.bulk.Denied(&presenceTable, peer, m, nil)
			return
		}
		if _, err := l.subs.Subscribe(peer.ID.Slot(), key); err != nil {
			l.bulk.Invalid(&presenceTable, peer, m, nil)
			return
		}
	} else {
		l.subs.Unsubscribe(peer.ID.Slot(), key)
	}
	l.reply = protocol.Message{Topic: protocol.TopicPresence, Action: m.Action, IsAck: true}
	l.Reply(peer.ID, &l.reply)
}

// query asks the directory about the names that may be asked about.
func (l *Loop) query(peer bulk.Peer, m *protocol.Message) {
	if m.Names.Len() > l.node.opts.BulkNamesMax {
		l.bulk.Invalid(&presenceTable, peer, m, nil)
		return
	}
	if m.Names.Len() == 0 && !l.bulk.Allowed(&presenceTable, peer, m, nil) {
		return
	}
	allowed := make([][]byte, 0, m.Names.Len())
	it := m.Names.Iter()
	for it.Next() {
		if l.bulk.Allowed(&presenceTable, peer, m, it.Name()) {
			allowed = append(allowed, it.Name())
		}
	}
	if len(allowed) == 0 && m.Names.Len() > 0 {
		return
	}
	names := protocol.ListNames(allowed)
	if l.presence != nil {
		l.presence.Query(peer.ID, m.CorrelationID, names)
		return
	}
	id := bytes.Clone(m.CorrelationID)
	names = cloneNames(names)
	l.on(presenceHome, func(h *Loop) { h.presence.Query(peer.ID, id, names) })
}

func (l *Loop) queryAll(peer bulk.Peer, m *protocol.Message) {
	if !l.bulk.Allowed(&presenceTable, peer, m, nil) {
		return
	}
	self := []byte(peer.User.ID)
	if l.presence != nil {
		l.presence.QueryAll(peer.ID, self)
		return
	}
	l.on(presenceHome, func(h *Loop) { h.presence.QueryAll(peer.ID, self) })
}

// presenceLogin counts a connection of user.
func (l *Loop) presenceLogin(id protocol.ConnID, user string) {
	if l.presence != nil {
		l.presence.Login(id, []byte(user))
		return
	}
	l.on(presenceHome, func(h *Loop) { h.presence.Login(id, []byte(user)) })
}

// presenceLogout undoes one presenceLogin.
func (l *Loop) presenceLogout(id protocol.ConnID, user string) {
	if l.presence != nil {
		l.presence.Logout(id, []byte(user))
		return
	}
	l.on(presenceHome, func(h *Loop) { h.presence.Logout(id, []byte(user)) })
}

// cloneNames copies a list of names into one allocation of text and one of slices.
func cloneNames(names protocol.Names) protocol.Names {
	list := make([][]byte, 0, names.Len())
	var text []byte
	it := names.Iter()
	for it.Next() {
		text = append(text, it.Name()...)
	}
	it = names.Iter()
	for it.Next() {
		n := len(it.Name())
		list = append(list, text[:n:n])
		text = text[n:]
	}
	return protocol.ListNames(list)
}

// unobserved ignores subscriptions nobody has to hear of.
type unobserved struct{}

// Subscribed implements bulk.Observer.
func (unobserved) Subscribed(protocol.ConnID, []byte, bool) {}

// Unsubscribed implements bulk.Observer.
func (unobserved) Unsubscribed(protocol.ConnID, []byte, bool) {}

// presenceOut carries out what the directory decides.
type presenceOut struct{ l *Loop }

// Send implements presence.Out.
func (o presenceOut) Send(to protocol.ConnID, m *protocol.Message) { o.l.send(to, m, engine.Reply) }

// Announce tells those who subscribed to everybody, then those who subscribed to this user. Nothing
// would ever repair it if that were dropped. A connection does not hear of its own login, which came
// before it could subscribe.
func (o presenceOut) Announce(user []byte, conn protocol.ConnID, joined bool) {
	all, one := protocol.PresenceLeaveAll, protocol.PresenceLeave
	if joined {
		all, one = protocol.PresenceJoinAll, protocol.PresenceJoin
	}
	o.publish(presenceAllSpace, nil, conn, all, user)
	o.publish(presenceSpace, user, conn, one, user)
}

func (o presenceOut) publish(space byte, name []byte, except protocol.ConnID, action protocol.Action, user []byte) {
	m := &o.l.reply
	*m = protocol.Message{Topic: protocol.TopicPresence, Action: action, Name: user}
	o.l.news.Publish(o.l.bulk.Key(space, name), except, m)
}
