package session

import (
	"bytes"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/bulk"
	"deepstream-fast/engine"
	"deepstream-fast/lazyjson"
	"deepstream-fast/protocol"
	"deepstream-fast/rpc"
	"deepstream-fast/timer"
)

// rpcSpace is the first byte of a provided name's registry key.
const rpcSpace = 'c'

var rpcTable = bulk.Topic{
	Topic:    protocol.TopicRPC,
	Space:    rpcSpace,
	Denied:   protocol.RPCMessageDenied,
	Failed:   protocol.RPCMessagePermissionError,
	Invalid:  protocol.RPCInvalidMessageData,
	Multiple: protocol.RPCMultipleProviders,
}

// rpcMessage handles one RPC message on the sender's loop: what can be judged here is, the rest goes
// to the home of the name.
func (l *Loop) rpcMessage(peer bulk.Peer, s *conn, m *protocol.Message) (known bool) {
	switch m.Action {
	case protocol.RPCProvide:
		s.used |= usedRPC
		l.bulk.Subscribe(&rpcTable, peer, m, rpcObserver{l})
	case protocol.RPCUnprovide:
		l.bulk.Unsubscribe(&rpcTable, peer, m, rpcObserver{l})
	case protocol.RPCRequest:
		s.used |= usedRPC
		l.request(peer, m)
	case protocol.RPCAccept, protocol.RPCReject, protocol.RPCResponse, protocol.RPCRequestError:
		l.rpcAnswer(peer, m)
	default:
		return false
	}
	return true
}

// request checks a REQUEST and hands it to the home of its name.
func (l *Loop) request(peer bulk.Peer, m *protocol.Message) {
	if len(m.CorrelationID) == 0 {
		l.rpcError(peer, m, protocol.RPCInvalidRPCCorrelationID)
		return
	}
	if len(m.Name) == 0 {
		l.rpcError(peer, m, protocol.RPCMessagePermissionError) // not INVALID_MESSAGE_DATA: see below
		return
	}
	switch allowed, valid := l.bulk.AllowedData(&rpcTable, peer, m); {
	case !allowed:
		return
	case !valid:
		// Not INVALID_MESSAGE_DATA: the client would forget the call without settling its promise.
		l.rpcError(peer, m, protocol.RPCMessagePermissionError)
		return
	}
	if !l.mayCall(peer.ID) {
		l.rpcError(peer, m, protocol.RPCMessageDenied)
		return
	}
	r := rpc.Request{From: peer.ID, Name: m.Name, CorrelationID: m.CorrelationID, Data: m.Data}
	if l.node.opts.ProvideRequestorName {
		r.RequestorName = []byte(peer.User.ID)
	}
	if l.node.opts.ProvideRequestorData && !bytes.Equal(peer.User.ClientData, auth.Null) { // spec/rpc.md §4: null is not sent
		r.RequestorData = peer.User.ClientData
	}
	home := l.node.home(m.Name)
	if home == l.id && !l.owes(peer.ID) {
		l.rpc.Request(r)
		return
	}
	r.Name, r.CorrelationID, r.Data = bytes.Clone(r.Name), bytes.Clone(r.CorrelationID), bytes.Clone(r.Data)
	size := len(r.Name) + len(r.CorrelationID) + len(r.Data)
	l.at(home, func(h *Loop) { h.after(r.From, size, func(h *Loop) { h.rpc.Request(r) }) })
}

// rpcAnswer checks what a provider says about a call and hands it to the home of the name.
func (l *Loop) rpcAnswer(peer bulk.Peer, m *protocol.Message) {
	if m.Data != nil && !lazyjson.Valid(m.Data) {
		l.bulk.Invalid(&rpcTable, peer, m, m.Name)
		return
	}
	home := l.node.home(m.Name)
	if home == l.id && !l.owes(peer.ID) {
		l.rpc.Answer(peer.ID, m.Action, m.Name, m.CorrelationID, m.Data)
		return
	}
	action, name, id, data := m.Action, bytes.Clone(m.Name), bytes.Clone(m.CorrelationID), bytes.Clone(m.Data)
	l.at(home, func(h *Loop) {
		h.after(peer.ID, len(name)+len(id)+len(data), func(h *Loop) { h.rpc.Answer(peer.ID, action, name, id, data) })
	})
}

func (l *Loop) rpcError(peer bulk.Peer, m *protocol.Message, action protocol.Action) {
	l.reply = protocol.Message{
		Topic: protocol.TopicRPC, Action: action, OriginalAction: m.Action, IsError: true,
		Name: m.Name, CorrelationID: m.CorrelationID,
	}
	l.Reply(peer.ID, &l.reply)
}

// closeRPC ends what a connection provided and called, wherever that is.
func (l *Loop) closeRPC(id protocol.ConnID) {
	end := func(h *Loop) { h.remove(h.rpc.Closed(id)) }
	for i := range l.node.opts.Loops {
		l.at(i, func(h *Loop) { h.after(id, 0, end) })
	}
}

// at runs f on any loop, on this one now.
func (l *Loop) at(loop int, f func(*Loop)) {
	if loop == l.id {
		f(l)
		return
	}
	l.on(loop, f)
}

// onOthers runs f on every other loop.
func (l *Loop) onOthers(f func(*Loop)) {
	for i := range l.node.opts.Loops {
		if i != l.id {
			l.on(i, f)
		}
	}
}

// rpcObserver tells the home of a name who provides it.
type rpcObserver struct{ l *Loop }

// Subscribed implements bulk.Observer.
func (o rpcObserver) Subscribed(peer protocol.ConnID, name []byte, _ bool) {
	o.l.report(packet{about: provided, peer: peer}, name)
}

// Unsubscribed implements bulk.Observer.
func (o rpcObserver) Unsubscribed(peer protocol.ConnID, name []byte, _ bool) {
	o.l.report(packet{about: unprovided, peer: peer}, name)
}

// rpcOut carries out what the home of a name decides.
type rpcOut struct{ clock }

// Send implements rpc.Out.
func (o rpcOut) Send(to protocol.ConnID, m *protocol.Message) { o.l.send(to, m, engine.Broadcast) }

// StartTimer implements rpc.Out.
func (o rpcOut) StartTimer(after time.Duration, kind uint8, key uint64) rpc.TimerID {
	return rpc.TimerID(o.start(after, kind, key))
}

// StopTimer implements rpc.Out.
func (o rpcOut) StopTimer(id rpc.TimerID) { o.l.eng.StopTimer(timer.ID(id)) }
